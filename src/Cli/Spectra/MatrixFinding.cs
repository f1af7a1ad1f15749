using System.Globalization;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>One matrix in <c>inspect --json</c>. Indices count from 0 by descending singular value.</summary>
/// <param name="Name">Its checkpoint key without ".weight".</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="MaxAbsCosine">Of each leading vector of the tuned matrix: the largest |cosine| with one of the base.</param>
/// <param name="SingularValues">Leading ones of the tuned matrix, descending.</param>
/// <param name="Intruders">At the first ε among the first top k.</param>
/// <param name="ByEpsilon">Intruders among the first top k, by ε.</param>
/// <param name="Margin">The smallest |max cos − ε| at the first ε and top k.</param>
/// <param name="EffectiveRank">Of the change.</param>
/// <param name="DeltaFrobenius">Norm of the change.</param>
/// <param name="IntruderEnergyShare">Σσ² of the intruders over that of the top k, at the first of both.</param>
/// <param name="IllDefined">Vectors of which nothing can be told at the first ε and top k.</param>
/// <param name="Evidence">What settled each leading vector at the first ε.</param>
/// <param name="ByTopK">Intruders by top k and ε.</param>
/// <param name="BaseFrobenius">Norm of the base.</param>
/// <param name="TunedFrobenius">Norm of the tuned matrix.</param>
/// <param name="DeltaStableRank">Squared norm of the change over the square of its largest singular value.</param>
internal sealed record MatrixFinding(
    string Name, long Rows, long Columns, IReadOnlyList<double> MaxAbsCosine, IReadOnlyList<double> SingularValues, IReadOnlyList<int> Intruders,
    IReadOnlyDictionary<string, IReadOnlyList<int>> ByEpsilon, double Margin, double EffectiveRank, double DeltaFrobenius, double IntruderEnergyShare,
    IReadOnlyList<int> IllDefined, IReadOnlyList<string> Evidence, IReadOnlyDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>> ByTopK,
    double BaseFrobenius, double TunedFrobenius, double DeltaStableRank)
{
    public static MatrixFinding Of(SpectralFinding finding) => new(
        finding.Name, finding.Rows, finding.Columns, finding.MaxAbsCosines, finding.SingularValues, finding.Intruders,
        AtEach(finding, finding.Settings.TopK[0]), finding.Margin, finding.EffectiveRank, finding.DeltaFrobenius, finding.IntruderEnergyShare,
        finding.IllDefined, [.. finding.Triples.Select(triple => Word(triple.Evidence(finding.Settings.Epsilon[0])))],
        // Two numbers that exceed the shorter side are the same number.
        finding.Settings.TopK.Distinct().ToDictionary(Text, topK => AtEach(finding, topK)),
        finding.BaseFrobenius, finding.TunedFrobenius, finding.DeltaStableRank);

    private static IReadOnlyDictionary<string, IReadOnlyList<int>> AtEach(SpectralFinding finding, int topK) =>
        finding.Settings.Epsilon.ToDictionary(epsilon => epsilon.ToString(CultureInfo.InvariantCulture), epsilon => finding.IntrudersAt(epsilon, topK));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Word(DecisionEvidence evidence) => evidence switch
    {
        DecisionEvidence.Direct => "direct",
        DecisionEvidence.Residual => "residual",
        DecisionEvidence.Certificate => "certificate",
        _ => "complete_decomposition",
    };
}

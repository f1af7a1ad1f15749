namespace MLNetLoRA.Cli.Spectra;

/// <summary>What <c>inspect --json</c> writes.</summary>
/// <param name="Matrices">In the model's order.</param>
/// <param name="Totals">Over all matrices.</param>
/// <param name="Settings">What was looked for.</param>
/// <param name="Skipped">What was not measured, by checkpoint key, with the reason.</param>
internal sealed record InspectSummary(
    IReadOnlyList<MatrixFinding> Matrices, InspectTotals Totals, InspectSettings Settings, IReadOnlyDictionary<string, string> Skipped);

/// <summary>All matrices together.</summary>
/// <param name="Matrices">How many.</param>
/// <param name="Intruders">At the first ε among the first top k of each.</param>
/// <param name="Seconds">Reading and computing.</param>
/// <param name="IllDefined">Vectors of which nothing can be told, at the first ε and top k.</param>
/// <param name="ByEpsilon">Intruders among the first top k, by ε.</param>
/// <param name="DeltaFrobenius">Norm of all changes together.</param>
/// <param name="BasesFound">Bases that an earlier run had kept.</param>
internal sealed record InspectTotals(
    int Matrices, int Intruders, double Seconds, int IllDefined, IReadOnlyDictionary<string, int> ByEpsilon, double DeltaFrobenius, int BasesFound)
{
    public static InspectTotals Of(IReadOnlyList<MatrixFinding> matrices, double seconds, int basesFound) => new(
        matrices.Count, matrices.Sum(matrix => matrix.Intruders.Count), seconds, matrices.Sum(matrix => matrix.IllDefined.Count),
        matrices[0].ByEpsilon.Keys.ToDictionary(epsilon => epsilon, epsilon => matrices.Sum(matrix => matrix.ByEpsilon[epsilon].Count)),
        Math.Sqrt(matrices.Sum(matrix => matrix.DeltaFrobenius * matrix.DeltaFrobenius)), basesFound);
}

/// <summary>What was looked for, and where it was computed.</summary>
internal sealed record InspectSettings(IReadOnlyList<int> TopK, IReadOnlyList<double> Epsilon, string Method, string Side, string Device);

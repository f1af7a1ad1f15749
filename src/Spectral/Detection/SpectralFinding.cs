namespace MLNetLoRA;

/// <summary>What was found in one weight change, as numbers.</summary>
/// <remarks>Immutable and thread-safe. Norms are of Frobenius.</remarks>
public sealed record SpectralFinding
{
    /// <summary>The matrix's name, as the caller gave it.</summary>
    public required string Name { get; init; }

    /// <summary>Outputs of the linear map.</summary>
    public required long Rows { get; init; }

    /// <summary>Inputs of the linear map.</summary>
    public required long Columns { get; init; }

    /// <summary>What was looked for.</summary>
    public required SpectralSettings Settings { get; init; }

    /// <summary>The leading singular triples of the tuned matrix, as many as the largest of <see cref="SpectralSettings.TopK"/>.</summary>
    public required IReadOnlyList<SingularTriple> Triples { get; init; }

    /// <summary>‖W0‖.</summary>
    public required double BaseFrobenius { get; init; }

    /// <summary>‖W‖ = ‖W0 + ΔW‖.</summary>
    public required double TunedFrobenius { get; init; }

    /// <summary>‖ΔW‖.</summary>
    public required double DeltaFrobenius { get; init; }

    /// <summary>‖ΔW‖² over the square of its largest singular value: from 1, one direction, to its rank; 0 for no change.</summary>
    public required double DeltaStableRank { get; init; }

    /// <summary>
    /// exp of the entropy of ΔW's singular values taken as shares (Roy and Vetterli, 2007): from 1 to its rank; 0 for no change.
    /// </summary>
    public required double EffectiveRank { get; init; }

    /// <summary>The singular values of <see cref="Triples"/>, descending.</summary>
    public IReadOnlyList<double> SingularValues => [.. Triples.Select(triple => triple.SingularValue)];

    /// <summary>The largest |cosine| of each of <see cref="Triples"/>.</summary>
    public IReadOnlyList<double> MaxAbsCosines => [.. Triples.Select(triple => triple.MaxAbsCosine)];

    /// <summary>The intruders at the first threshold among the first top k: indices from 0 by descending singular value.</summary>
    public IReadOnlyList<int> Intruders => IntrudersAt(FirstEpsilon, FirstTopK);

    /// <summary>The smallest |max cos − ε| at the first threshold among the first top k.</summary>
    public double Margin => MarginAt(FirstEpsilon, FirstTopK);

    /// <summary>Σσ² of the intruders over Σσ² of the top k, at the first threshold and top k: a share in [0, 1].</summary>
    public double IntruderEnergyShare => IntruderEnergyShareAt(FirstEpsilon, FirstTopK);

    /// <summary>
    /// What could not be told, at the first threshold among the first top k: see <see cref="IntruderVerdict.IllDefined"/>.
    /// </summary>
    public IReadOnlyList<int> IllDefined => IndicesAt(FirstEpsilon, FirstTopK, IntruderVerdict.IllDefined);

    private double FirstEpsilon => Settings.Epsilon[0];

    private int FirstTopK => Settings.TopK[0];

    /// <summary>The intruders at a threshold among the leading <paramref name="topK"/>.</summary>
    /// <param name="epsilon">
    /// Above 0 and below 1. At a value that is not among the settings a vector may be left open, when not all base vectors were looked at.
    /// </param>
    /// <param name="topK">1 to the number of <see cref="Triples"/>.</param>
    public IReadOnlyList<int> IntrudersAt(double epsilon, int topK) => IndicesAt(epsilon, topK, IntruderVerdict.Intruder);

    /// <summary>Those of the leading <paramref name="topK"/> with a given verdict.</summary>
    /// <param name="epsilon">Above 0 and below 1.</param>
    /// <param name="topK">1 to the number of <see cref="Triples"/>.</param>
    /// <param name="verdict">The verdict wanted.</param>
    public IReadOnlyList<int> IndicesAt(double epsilon, int topK, IntruderVerdict verdict) =>
        [.. Leading(topK).Where(triple => triple.Verdict(epsilon) == verdict).Select(triple => triple.Index)];

    /// <summary>The smallest |max cos − ε| among the leading <paramref name="topK"/>.</summary>
    /// <inheritdoc cref="IntrudersAt" path="/param"/>
    public double MarginAt(double epsilon, int topK) => Leading(topK).Min(triple => triple.Margin(epsilon));

    /// <summary>Σσ² of the intruders over Σσ² of the leading <paramref name="topK"/>; 0 when the latter is 0.</summary>
    /// <inheritdoc cref="IntrudersAt" path="/param"/>
    public double IntruderEnergyShareAt(double epsilon, int topK)
    {
        var all = Leading(topK).Sum(triple => triple.SingularValue * triple.SingularValue);
        return all == 0 ? 0 : IntrudersAt(epsilon, topK).Sum(index => Triples[index].SingularValue * Triples[index].SingularValue) / all;
    }

    private IEnumerable<SingularTriple> Leading(int topK) =>
        topK >= 1 && topK <= Triples.Count
            ? Triples.Take(topK)
            : throw new ArgumentOutOfRangeException(
                nameof(topK), topK, $"{Name}: {Triples.Count} singular triples were computed; ask for 1 to {Triples.Count}.");
}

namespace MLNetLoRA;

/// <summary>What is looked for in a weight change.</summary>
/// <remarks>Immutable and thread-safe. The defaults are the paper's: arXiv 2410.21228, algorithm 1 and the authors' code.</remarks>
public sealed record SpectralSettings
{
    /// <summary>
    /// How many of the tuned matrix's leading singular vectors are judged; several values give several counts in one pass.
    /// </summary>
    /// <value>Each 1 or more, and at most the shorter side of the matrix (<see cref="For"/> sees to that); default 10.</value>
    public IReadOnlyList<int> TopK { get; init; } = [10];

    /// <summary>
    /// A vector is an intruder when its |cosine| with every singular vector of the base is below this; several values in one pass.
    /// </summary>
    /// <value>Each above 0 and below 1; default 0.5.</value>
    public IReadOnlyList<double> Epsilon { get; init; } = [0.5];

    /// <summary>Which singular vectors are compared.</summary>
    /// <value>Default <see cref="SingularSide.Left"/>.</value>
    public SingularSide Side { get; init; } = SingularSide.Left;

    /// <summary>How they are computed.</summary>
    /// <value>Default <see cref="SpectralMethod.Fast"/>, which decides as <see cref="SpectralMethod.Complete"/> does.</value>
    public SpectralMethod Method { get; init; } = SpectralMethod.Fast;

    /// <summary>Singular values closer than this share of the largest one span a subspace whose single vectors mean nothing.</summary>
    /// <value>1e-9 to 0.1; default 1e-6.</value>
    public double SubspaceTolerance { get; init; } = 1e-6;

    /// <summary>Everything that is wrong with these settings, each as one sentence; empty when all is well.</summary>
    public IEnumerable<string> Faults()
    {
        if (TopK.Count == 0) yield return "TopK is empty; name at least one number of leading singular vectors (usual: 10).";
        foreach (var count in TopK.Where(count => count < 1))
            yield return $"TopK holds {count}; use 1 or more (usual: 10).";
        if (Epsilon.Count == 0) yield return "Epsilon is empty; name at least one threshold (usual: 0.5).";
        foreach (var epsilon in Epsilon.Where(epsilon => epsilon is not (> 0 and < 1)))
            yield return $"Epsilon holds {epsilon}; use a cosine above 0 and below 1 (usual: 0.5).";
        if (!Enum.IsDefined(Side)) yield return $"Side is {Side}; use Left or Right.";
        if (!Enum.IsDefined(Method)) yield return $"Method is {Method}; use Fast or Complete.";
        if (SubspaceTolerance is not (>= 1e-9 and <= 0.1))
            yield return $"SubspaceTolerance is {SubspaceTolerance}; use a share from 1e-9 to 0.1.";
    }

    /// <summary>
    /// These settings for a matrix of a given shape: each of <see cref="TopK"/> that exceeds its shorter side is cut to it.
    /// </summary>
    public SpectralSettings For(long rows, long columns)
    {
        var most = (int)Math.Min(int.MaxValue, Math.Min(rows, columns));
        return TopK.All(count => count <= most) ? this : this with { TopK = [.. TopK.Select(count => Math.Min(count, most))] };
    }
}

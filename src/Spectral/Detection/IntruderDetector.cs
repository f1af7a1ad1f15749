using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Finds intruder dimensions: leading singular vectors of a tuned matrix that no singular vector of its base resembles.</summary>
/// <remarks>
/// Source: arXiv 2410.21228, definition 3.1 and algorithm 1. Fast and complete method decide alike; only the fast one needs the base's
/// basis, and hands over to the complete one whatever it cannot settle by a margin of 1e-6, or of its vectors' own errors where these are
/// larger. Immutable and thread safe; works on the device of the matrices, in float64, which that device must offer. Leaves torch's global
/// state alone.
/// </remarks>
public sealed class IntruderDetector
{
    // Below, complete decompositions cost less than a search.
    private const int SmallestSearchedPerTriple = 4;

    private readonly SpectralSettings _settings;
    private readonly BasisPlan _plan;

    /// <summary>A detector with the paper's settings.</summary>
    public IntruderDetector() : this(new SpectralSettings())
    {
    }

    /// <summary>A detector with settings of your own.</summary>
    /// <param name="settings">What to look for.</param>
    /// <exception cref="ArgumentException">A setting is out of its range; the message names all that are.</exception>
    public IntruderDetector(SpectralSettings settings) : this(settings, BasisPlan.Default)
    {
    }

    internal IntruderDetector(SpectralSettings settings, BasisPlan plan)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var faults = settings.Faults().ToList();
        if (faults.Count > 0) throw new ArgumentException(string.Join(" ", faults), nameof(settings));
        (_settings, _plan) = (settings, plan);
    }

    /// <summary>Looks at one change.</summary>
    /// <param name="change">The change.</param>
    /// <param name="basis">The basis of its base; null: computed when needed and thrown away.</param>
    /// <returns>The caller disposes it; <see cref="ChangeSpectrum.Finding"/> outlives it.</returns>
    /// <exception cref="ArgumentException">
    /// The largest <see cref="SpectralSettings.TopK"/> exceeds the shorter side of the matrix, or <paramref name="basis"/> is that of
    /// another base.
    /// </exception>
    public ChangeSpectrum Analyze(WeightChange change, BaseSpectrum? basis = null)
    {
        ArgumentNullException.ThrowIfNull(change);
        var count = _settings.TopK.Max();
        CheckCount(change, count);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var oriented = new OrientedChange(change);
        var norms = ChangeNorms.Measure(change.Name, oriented);
        if (basis is not null) CheckBasis(change, oriented, basis, norms);

        var isNearSide = _settings.Side == SingularSide.Left != oriented.IsTransposed;
        // Every vector of an unchanged matrix is one of the base's, however its subspaces are turned.
        var isUnchanged = norms.Delta.Frobenius == 0;
        var (triples, cosines, isComplete) =
            Fast(change, oriented, basis, isNearSide, count, isUnchanged) ?? Complete(oriented, isNearSide, count);
        if (isUnchanged) cosines = [.. Enumerable.Range(0, count).Select(j => new CosineInterval(1, 1, 1, 1, 0, j))];
        return Spectrum(change, oriented, norms, triples, cosines, isComplete);
    }

    /// <summary>|cosines| of singular vectors of the tuned matrix with those of the base: the paper's figure 1 and 3.</summary>
    /// <param name="change">The change.</param>
    /// <returns>
    /// Rows are all min(rows, columns) vectors of the tuned matrix on the side of the settings, columns those of the base, by descending
    /// singular value.
    /// </returns>
    public double[,] Similarity(WeightChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var oriented = new OrientedChange(change);
        return new CompleteDecomposition(oriented).Similarity(_settings.Side == SingularSide.Left != oriented.IsTransposed);
    }

    private static void CheckCount(WeightChange change, int count)
    {
        var most = Math.Min(change.Rows, change.Columns);
        if (count <= most) return;
        throw new ArgumentException(
            $"{change.Name}: TopK is {count}, but a matrix of ({change.Rows}, {change.Columns}) has {most} singular values; "
            + $"use {most} or less (SpectralSettings.For cuts it).");
    }

    private static void CheckBasis(WeightChange change, OrientedChange oriented, BaseSpectrum basis, ChangeNorms norms)
    {
        if ((basis.Rows, basis.Columns) == (change.Rows, change.Columns) && basis.BelongsTo(oriented.Base, norms.Base)) return;
        throw new ArgumentException(
            $"{change.Name}: the basis given, of a ({basis.Rows}, {basis.Columns}) matrix, is that of another base; "
            + $"the base here is ({change.Rows}, {change.Columns}). Compute the basis of this very base.",
            nameof(basis));
    }

    private (LeadingTriples, IReadOnlyList<CosineInterval>, bool)? Fast(
        WeightChange change, OrientedChange oriented, BaseSpectrum? basis, bool isNearSide, int count, bool isUnchanged)
    {
        if (_settings.Method != SpectralMethod.Fast || oriented.Near < (long)SmallestSearchedPerTriple * count) return null;
        using var own = basis is null ? BaseSpectrum.Compute(change.Name, change.Base, _plan) : null;
        var search = new FastSearch(oriented, basis ?? own!, _settings, count);
        if (search.Triples() is not { } triples) return null;
        if (isUnchanged) return (triples, [], false);
        return search.Cosines(triples, isNearSide) is { } cosines ? (triples, cosines, false) : null;
    }

    private (LeadingTriples, IReadOnlyList<CosineInterval>, bool) Complete(OrientedChange oriented, bool isNearSide, int count)
    {
        var decomposition = new CompleteDecomposition(oriented);
        var triples = decomposition.Leading(count, _settings.SubspaceTolerance);
        var cosines = decomposition.Cosines(triples, isNearSide, _settings.SubspaceTolerance).Intervals(triples.Groups, count);
        var smallest = _settings.SubspaceTolerance * triples.Values[0];
        // A singular value of zero has no vector of its own.
        var decided = cosines.Select((cosine, j) => triples.Values[j] > smallest ? cosine : cosine with { Lower = 0, Upper = 1 });
        return (triples, [.. decided], true);
    }

    private ChangeSpectrum Spectrum(
        WeightChange change, OrientedChange oriented, ChangeNorms norms, LeadingTriples triples, IReadOnlyList<CosineInterval> cosines,
        bool isComplete)
    {
        var count = cosines.Count;
        var near = triples.Near.narrow(1, 0, count).contiguous();
        var far = triples.Far.narrow(1, 0, count).contiguous();
        var projections = oriented.DeltaProjections(near, far);
        var finding = new SpectralFinding
        {
            Name = change.Name,
            Rows = change.Rows,
            Columns = change.Columns,
            Settings = _settings,
            Triples = [.. cosines.Select((cosine, j) => new SingularTriple(
                j, triples.Values[j], cosine.Largest, cosine.Lower, cosine.Upper, cosine.ResidualNorm, cosine.Closest, projections[j],
                isComplete))],
            BaseFrobenius = norms.Base,
            TunedFrobenius = norms.Tuned,
            DeltaFrobenius = norms.Delta.Frobenius,
            DeltaStableRank = norms.Delta.StableRank,
            EffectiveRank = norms.Delta.EffectiveRank,
        };
        return oriented.IsTransposed ? new ChangeSpectrum(change, finding, far, near) : new ChangeSpectrum(change, finding, near, far);
    }
}

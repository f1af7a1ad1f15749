using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Leading triples and their cosines from a base's singular basis, or nothing where that leaves a decision open.</summary>
internal sealed class FastSearch(OrientedChange change, BaseSpectrum basis, SpectralSettings settings, int count)
{
    /// <summary>A cosine nearer to a threshold than this is left to complete decompositions; every other decision is theirs.</summary>
    internal const double CosineMargin = 1e-6;

    private const double VectorAccuracy = 1e-9;
    private const int MoreThanAsked = 4;
    private const int MaxIterations = 12;

    /// <summary>The triples in the caller's dispose scope, or null.</summary>
    public LeadingTriples? Triples()
    {
        using var scope = NewDisposeScope();
        var triples = basis.IsComplete && change.NearFactor is not null ? FromEigenbasis() : FromKrylov();
        triples?.Near.MoveToOuterDisposeScope();
        triples?.Far.MoveToOuterDisposeScope();
        return triples;
    }

    /// <summary>The cosines of the triples, or null when one of the thresholds is not settled.</summary>
    public IReadOnlyList<CosineInterval>? Cosines(LeadingTriples triples, bool isNearSide)
    {
        var comparison = new BasisComparison(change, basis, isNearSide);
        IReadOnlyList<CosineInterval> intervals = comparison.Cosines(triples, settings.SubspaceTolerance).Intervals(triples.Groups, count);
        if (!basis.IsComplete) intervals = Certified(comparison, triples, intervals);
        // With all base vectors looked at, an open interval means subspaces: complete decompositions tell more of them apart.
        var areClosed = !basis.IsComplete || intervals.All(interval => interval.Upper - interval.Lower <= CosineMargin);
        return areClosed && intervals.All(IsSettled) ? intervals : null;
    }

    private LeadingTriples? FromEigenbasis()
    {
        var search = new EigenbasisSearch(change, basis);
        if (search.Find(count, settings.SubspaceTolerance, VectorAccuracy) is not { } pairs) return null;
        return LeadingTriples.FromGram(change, basis.NearVectors.Times(pairs.Vectors), pairs, count, settings.SubspaceTolerance);
    }

    private LeadingTriples? FromKrylov()
    {
        var available = count + MoreThanAsked;
        var pairs = BlockKrylov.Find(
            change.Times, change.TransposedTimes, Start(available), change.Near, available, MaxIterations,
            found => IsAccurate(found, VectorAccuracy), change.Base.device);
        // The last iteration may have come before the accuracy asked for; good enough for the margin is good enough.
        return IsAccurate(pairs, CosineMargin / 4)
            ? LeadingTriples.FromGram(change, pairs.Vectors, pairs, count, settings.SubspaceTolerance)
            : null;
    }

    private bool IsAccurate(RitzPairs pairs, double accuracy) =>
        pairs.Errors(count, settings.SubspaceTolerance) is { } errors && errors.Max() <= accuracy;

    // The base's leading directions and those that the change writes to.
    private Tensor Start(int available)
    {
        var leading = basis.NearVectors.narrow(1, 0, Math.Min(available, basis.NearVectors.shape[1]));
        return change.NearFactor is null ? leading : cat([leading, change.NearFactor], 1);
    }

    private IReadOnlyList<CosineInterval> Certified(BasisComparison comparison, LeadingTriples triples, IReadOnlyList<CosineInterval> intervals)
    {
        var open = Enumerable.Range(0, count).Where(j => !IsSettled(intervals[j])).ToArray();
        if (open.Length == 0) return intervals;
        var bounds = comparison.UnknownCosines(triples, open);
        var certified = intervals.ToArray();
        foreach (var (place, j) in open.Index())
        {
            // Inside a group of several the bound of one vector says nothing about another choice.
            if (triples.Groups.Any(group => group.Start.Value <= j && j < group.End.Value && group.End.Value - group.Start.Value > 1)) continue;
            certified[j] = intervals[j] with { Upper = Math.Max(intervals[j].KnownUpper, Math.Min(intervals[j].Upper, bounds[place])) };
        }
        return certified;
    }

    private bool IsSettled(CosineInterval interval) => settings.Epsilon.All(epsilon => interval.IsSettled(epsilon, CosineMargin));
}

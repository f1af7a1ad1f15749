using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Leading triples and their cosines from a base's singular basis, or nothing where that leaves a decision open.</summary>
internal sealed class FastSearch(OrientedChange change, BaseSpectrum basis, SpectralSettings settings, int count)
{
    /// <summary>A cosine nearer to a threshold than this, or than its own error, is left to complete decompositions.</summary>
    internal const double CosineMargin = 1e-6;

    private const int MoreThanAsked = 4;
    private const int MaxIterations = 20;

    // What a search goes on for, and what it may stop at: decisions take account of each vector's own error.
    private const double WantedAccuracy = 1e-9;
    private const double CompleteBasisAccuracy = 2e-5;
    private const double LeadingBasisAccuracy = 1e-2;

    // An intruder's vectors are not only judged but rescaled.
    private const double IntruderAccuracy = 1e-5;

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
        return areClosed && Enumerable.Range(0, count).All(j => IsSettled(comparison, triples, intervals, j)) ? intervals : null;
    }

    private LeadingTriples? FromEigenbasis()
    {
        var search = new EigenbasisSearch(change, basis);
        if (search.Find(count, settings.SubspaceTolerance, WantedAccuracy) is not { } pairs) return null;
        return LeadingTriples.FromGram(change, basis.NearVectors.Times(pairs.Vectors), pairs, count, settings.SubspaceTolerance);
    }

    private LeadingTriples? FromKrylov()
    {
        var available = count + MoreThanAsked;
        var pairs = BlockKrylov.Find(
            change.Times, change.TransposedTimes, Start(available), change.Near, available, MaxIterations,
            found => IsAccurate(found, CosineMargin), change.Base.device);
        return IsAccurate(pairs, basis.IsComplete ? CompleteBasisAccuracy : LeadingBasisAccuracy)
            ? LeadingTriples.FromGram(change, pairs.Vectors, pairs, count, settings.SubspaceTolerance)
            : null;
    }

    private bool IsAccurate(RitzPairs pairs, double accuracy) =>
        pairs.Errors(count, settings.SubspaceTolerance) is { } errors && errors.Max() <= accuracy;

    // The base's leading directions and those that the change writes most to.
    private Tensor Start(int available)
    {
        var leading = basis.NearVectors.narrow(1, 0, Math.Min(available, basis.NearVectors.shape[1]));
        return change.NearFactor is null ? leading : cat([leading, change.WrittenDirections(available)], 1);
    }

    private IReadOnlyList<CosineInterval> Certified(
        BasisComparison comparison, LeadingTriples triples, IReadOnlyList<CosineInterval> intervals)
    {
        var open = Enumerable.Range(0, count).Where(j => !IsSettled(comparison, triples, intervals, j)).ToArray();
        if (open.Length == 0) return intervals;
        var smallest = settings.Epsilon.Min() - comparison.LargestError - CosineMargin;
        var bounds = comparison.UnknownCosines(triples, open, settings.SubspaceTolerance, found => found.All(bound => bound < smallest));
        var certified = intervals.ToArray();
        foreach (var (place, j) in open.Index())
        {
            // Inside a group of several the bound of one vector says nothing about another choice.
            if (triples.Groups.Any(group =>
                group.Start.Value <= j && j < group.End.Value && group.End.Value - group.Start.Value > 1)) continue;
            var unknown = Math.Min(intervals[j].Upper, bounds[place] + comparison.LargestError);
            certified[j] = intervals[j] with { Upper = Math.Max(intervals[j].KnownUpper, unknown) };
        }
        return certified;
    }

    private bool IsSettled(BasisComparison comparison, LeadingTriples triples, IReadOnlyList<CosineInterval> intervals, int j)
    {
        var error = comparison.ErrorOf(triples, j);
        var margin = Math.Max(CosineMargin, error);
        return settings.Epsilon.All(epsilon =>
            intervals[j].IsSettled(epsilon, margin) && (intervals[j].Lower >= epsilon || error <= IntruderAccuracy));
    }
}

using MathNet.Numerics.LinearAlgebra;

namespace MLNetLoRA.Spectral;

/// <summary>Inner products of singular vectors of the base with leading ones of the tuned matrix.</summary>
/// <param name="Products">(base vectors, tuned vectors), signed.</param>
/// <param name="BaseGroups">Base vectors that can be told apart only as a subspace, in order; most groups hold one.</param>
/// <param name="BaseRank">How many base vectors, the first ones, belong to a singular value that is not zero.</param>
/// <param name="BaseErrors">How far each inner product may be off because of the base's vector.</param>
/// <param name="IsComplete">Whether these are all the base's vectors.</param>
/// <param name="NullSpaceIsSpanned">
/// Whether the base's vectors of singular value zero span all that is orthogonal to the others: on the shorter side they do; on the longer
/// one they are an arbitrary part of it.
/// </param>
internal sealed record CosineTable(
    double[,] Products, IReadOnlyList<Range> BaseGroups, int BaseRank, IReadOnlyList<double> BaseErrors, bool IsComplete,
    bool NullSpaceIsSpanned)
{
    // Beyond, a subspace is so large that its best and its worst basis are far apart anyway.
    private const long LargestDecomposed = 4096;

    private double LargestError => BaseErrors.Count == 0 ? 0 : BaseErrors.Max();

    private int BaseCount => Products.GetLength(0);

    /// <summary>
    /// The largest |cosine| of each of the first tuned vectors, with what an arbitrary choice inside subspaces leaves open.
    /// </summary>
    /// <param name="tunedGroups">
    /// Columns of the table that can be told apart only as a subspace; the last wanted one's group is whole.
    /// </param>
    /// <param name="count">How many are wanted.</param>
    public IReadOnlyList<CosineInterval> Intervals(IReadOnlyList<Range> tunedGroups, int count) =>
        [.. tunedGroups.SelectMany(IntervalsOfGroup).Take(count)];

    private IEnumerable<CosineInterval> IntervalsOfGroup(Range group)
    {
        var (start, count) = group.GetOffsetAndLength(Products.GetLength(1));
        var (lower, upper) = SubspaceBounds(start, count);
        var outside = Enumerable.Range(start, count).Max(OutsideNorm);
        // The span of vectors that are a little off misses as much of the exact one.
        var unseen = IsComplete ? 0 : Math.Min(1, outside + LargestError);
        if (IsComplete && BaseRank < BaseCount) (lower, upper) = WithNullSpace(lower, upper, outside, count);
        var upperWithUnseen = Math.Max(upper, unseen * Math.Sqrt(count));
        for (var column = start; column < start + count; column++)
        {
            var (largest, closest) = Closest(column);
            // Rounding may leave a cosine a little above 1.
            yield return new CosineInterval(
                Math.Min(1, largest), Math.Min(1, lower), Math.Min(1, upper), Math.Min(1, upperWithUnseen), unseen, closest);
        }
    }

    private (double Largest, int? Index) Closest(int column)
    {
        var largest = 0.0;
        int? closest = null;
        for (var i = 0; i < BaseRank; i++)
        {
            if (Math.Abs(Products[i, column]) > largest) (largest, closest) = (Math.Abs(Products[i, column]), i);
        }
        return (largest, closest);
    }

    // How much of a tuned vector lies outside the base vectors of singular value above zero.
    private double OutsideNorm(int column)
    {
        var inside = 0.0;
        for (var i = 0; i < BaseRank; i++) inside += Products[i, column] * Products[i, column];
        return Math.Sqrt(Math.Max(0, 1 - inside));
    }

    // For a unit vector x in the span of the group's vectors and a base subspace of s vectors, the largest cosine that a basis of the
    // subspace can give is ‖C x‖, the least that every basis gives is ‖C x‖/√s; over all x, ‖C x‖ runs between C's extreme singular values.
    private (double Lower, double Upper) SubspaceBounds(int start, int count)
    {
        var (lower, upper) = (0.0, 0.0);
        foreach (var group in BaseGroups)
        {
            if (group.Start.Value >= BaseRank) break;
            var size = Math.Min(group.End.Value, BaseRank) - group.Start.Value;
            var (least, most) = count == 1 || (long)size * count > LargestDecomposed
                ? Length(group.Start.Value, size, start, count)
                : Extremes(group.Start.Value, size, start, count);
            var error = 0.0;
            for (var i = group.Start.Value; i < group.Start.Value + size; i++) error = Math.Max(error, BaseErrors[i]);
            lower = Math.Max(lower, (least - error) / Math.Sqrt(size));
            upper = Math.Max(upper, most + error);
        }
        return (lower, upper);
    }

    // Exact for one vector; for many, bounds that cost nothing.
    private (double Least, double Most) Length(int first, int size, int start, int count)
    {
        var squares = 0.0;
        for (var i = first; i < first + size; i++)
        {
            for (var j = start; j < start + count; j++) squares += Products[i, j] * Products[i, j];
        }
        return (count == 1 ? Math.Sqrt(squares) : 0, Math.Sqrt(squares));
    }

    private (double Least, double Most) Extremes(int first, int size, int start, int count)
    {
        var values = Matrix<double>.Build.Dense(size, count, (i, j) => Products[first + i, start + j]).Svd(computeVectors: false).S;
        return (size < count ? 0 : values.Minimum(), values.Maximum());
    }

    private (double Lower, double Upper) WithNullSpace(double lower, double upper, double outside, int count)
    {
        var most = Math.Min(1, outside * Math.Sqrt(count));
        var least = NullSpaceIsSpanned && count == 1 ? outside / Math.Sqrt(BaseCount - BaseRank) : 0;
        return (Math.Max(lower, least), Math.Max(upper, most));
    }
}

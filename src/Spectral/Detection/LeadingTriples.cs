using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Leading singular triples of M, turned wide, with how far their vectors may be off.</summary>
/// <param name="Near">Vectors on the shorter side (near, n).</param>
/// <param name="Values">Singular values, descending (n).</param>
/// <param name="Far">Vectors on the longer side (far, n).</param>
/// <param name="Errors">How far each vector on the shorter side may be off, as the sine of an angle.</param>
/// <param name="Groups">Triples that can be told apart only as a subspace, in order; the last one is complete.</param>
internal sealed record LeadingTriples(Tensor Near, double[] Values, Tensor Far, double[] Errors, IReadOnlyList<Range> Groups)
{
    /// <summary>Triples from eigenpairs of the Gram matrix; null when a value is too small to have a vector on the longer side.</summary>
    /// <param name="change">The change.</param>
    /// <param name="near">Eigenvectors (near, n).</param>
    /// <param name="pairs">Their eigenvalues.</param>
    /// <param name="count">How many triples are wanted; the group of the last one is kept whole.</param>
    /// <param name="tolerance">Singular values closer than this share of the largest are one subspace.</param>
    public static LeadingTriples? FromGram(OrientedChange change, Tensor near, RitzPairs pairs, int count, double tolerance)
    {
        if (pairs.Errors(count, tolerance) is null) return null;
        var groups = ValueGroups.Of(pairs.SingularValues, tolerance).TakeWhile(group => group.Start.Value < count).ToList();
        var kept = groups[^1].End.Value;
        var values = pairs.SingularValues[..kept];
        if (values[^1] <= Math.Max(tolerance, BaseSpectrum.GramResolution) * values[0]) return null;
        var u = near.narrow(1, 0, kept);
        var lengths = tensor(values, dtype: ScalarType.Float64, device: near.device);
        return new LeadingTriples(u, values, change.TransposedTimes(u).div_(lengths), pairs.Errors(kept, tolerance)!, groups);
    }
}

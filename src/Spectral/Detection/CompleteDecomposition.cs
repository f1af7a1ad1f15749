using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Base and tuned matrix decomposed completely in float64: slow, plain, and what everything faster has to agree with.</summary>
/// <remarks>
/// Tensors belong to the dispose scope in which this object is made. Near and far are those of <see cref="OrientedChange"/>.
/// </remarks>
internal sealed class CompleteDecomposition
{
    // A float64 decomposition knows singular values below this share of the largest no better than zero.
    private const double Resolution = 1e-13;

    private readonly Tensor _near;
    private readonly Tensor _far;
    private readonly Tensor _baseNear;
    private readonly Tensor _baseFar;
    private readonly double[] _values;
    private readonly double[] _baseValues;

    public CompleteDecomposition(OrientedChange change)
    {
        (_near, var values, var far) = linalg.svd(change.Tuned, fullMatrices: false);
        (_baseNear, var baseValues, var baseFar) = linalg.svd(change.Base, fullMatrices: false);
        (_far, _baseFar) = (far.t(), baseFar.t());
        (_values, _baseValues) = (values.ToDoubles(), baseValues.ToDoubles());
    }

    /// <summary>The leading triples of the tuned matrix, the group of the last one whole.</summary>
    public LeadingTriples Leading(int count, double tolerance)
    {
        var groups = ValueGroups.Of(_values, tolerance).TakeWhile(group => group.Start.Value < count).ToList();
        var kept = groups[^1].End.Value;
        return new LeadingTriples(_near.narrow(1, 0, kept), _values[..kept], _far.narrow(1, 0, kept), Errors: new double[kept], groups);
    }

    /// <summary>Inner products with the leading vectors of one side.</summary>
    public CosineTable Cosines(LeadingTriples triples, bool isNearSide, double tolerance)
    {
        using var scope = NewDisposeScope();
        var products = isNearSide ? _baseNear.t().matmul(triples.Near) : _baseFar.t().matmul(triples.Far);
        return new CosineTable(
            products.ToMatrix(), ValueGroups.Of(_baseValues, tolerance), _baseValues.Count(value => value > Resolution * _baseValues[0]),
            new double[_baseValues.Length], IsComplete: true, NullSpaceIsSpanned: isNearSide || _near.shape[0] == _far.shape[0]);
    }

    /// <summary>
    /// |cosines| of all vectors of one side: rows are the tuned matrix's, columns the base's, by descending singular value.
    /// </summary>
    public double[,] Similarity(bool isNearSide)
    {
        using var scope = NewDisposeScope();
        return (isNearSide ? _near.t().matmul(_baseNear) : _far.t().matmul(_baseFar)).abs().ToMatrix();
    }
}

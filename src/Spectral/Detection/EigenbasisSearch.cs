using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Leading eigenpairs of M Mᵀ for M = M0 + F Eᵀ, in the complete eigenbasis Q of M0 M0ᵀ.</summary>
/// <remarks>
/// In the base's own basis the Gram matrix is diagonal plus a matrix of rank 2r: QᵀM MᵀQ = Λ + H fᵀ + f Hᵀ + f (EᵀE) fᵀ with f = QᵀF and
/// H = QᵀM0 E. Multiplying costs O(near · r), and Davidson's method (J. Comput. Phys. 17, 1975), which divides a residual by Λ − θ, has
/// here an almost exact inverse: a handful of small steps give every wanted pair to float64. Sylvester's law of inertia then counts the
/// eigenvalues above the last one, so none can have been overlooked.
/// </remarks>
internal sealed class EigenbasisSearch
{
    private const int MaxIterations = 24;
    private const int MoreOfTheBase = 8;

    // A residual below this share of θ₁ is rounding.
    private const double ResidualFloor = 2e-15;

    private readonly OrientedChange _change;
    private readonly BaseSpectrum _basis;
    private readonly Tensor _diagonal;      // Λ as a column (near, 1)
    private readonly Tensor _near;          // f (near, r)
    private readonly Tensor _image;         // H (near, r)
    private readonly Tensor _farGram;       // EᵀE (r, r)

    /// <summary>Goes into the base's eigenbasis; tensors belong to the caller's dispose scope.</summary>
    public EigenbasisSearch(OrientedChange change, BaseSpectrum basis)
    {
        (_change, _basis) = (change, basis);
        _diagonal = basis.Eigenvalues.unsqueeze(1);
        _near = basis.NearVectors.t().Times(change.NearFactor!);
        _image = basis.NearVectors.t().Times(change.BaseTimesFar);
        _farGram = change.FarFactor!.t().matmul(change.FarFactor!);
    }

    private long Near => _diagonal.shape[0];

    /// <summary>The leading pairs, in the coordinates of Q; null when they are not settled, so that something slower must decide.</summary>
    /// <param name="count">How many are wanted.</param>
    /// <param name="tolerance">Singular values closer than this share of the largest are one subspace.</param>
    /// <param name="accuracy">The largest angle, as a sine, by which a vector may be off.</param>
    public RitzPairs? Find(int count, double tolerance, double accuracy)
    {
        using var scope = NewDisposeScope();
        var available = count + 4;
        var fixedCoordinates = (int)Math.Min(Near, available + MoreOfTheBase);
        var space = new RitzSpace(Start(fixedCoordinates, available), Times);
        for (var iteration = 0; iteration < MaxIterations; iteration++)
        {
            var (pairs, residuals) = Pairs(space, available);
            var errors = pairs.Errors(count, tolerance);
            var open = Unsettled(pairs, errors, count, accuracy);
            if (open.Length == 0)
            {
                if (errors is null || !NothingIsMissing(pairs, count, tolerance)) return null;
                pairs.Vectors.MoveToOuterDisposeScope();
                return pairs;
            }
            if (space.IsFull) break;
            space.Grow(Corrections(pairs, residuals, open, fixedCoordinates));
        }
        return null;
    }

    private Tensor Times(Tensor x)
    {
        var inner = _near.t().matmul(x);
        return (_diagonal * x).addmm_(_image, inner).addmm_(_near, _image.t().matmul(x).addmm_(_farGram, inner));
    }

    // The base's leading coordinates, and where the change writes most.
    private Tensor Start(int fixedCoordinates, int available)
    {
        var coordinates = zeros([Near, fixedCoordinates], dtype: ScalarType.Float64, device: _diagonal.device);
        coordinates.diagonal().fill_(1);
        return cat([coordinates, _basis.NearVectors.t().Times(_change.WrittenDirections(available))], 1);
    }

    private static (RitzPairs Pairs, Tensor Residuals) Pairs(RitzSpace space, int count)
    {
        var (eigenvalues, rotation) = linalg.eigh(space.Vectors.t().matmul(space.Images));
        var leading = rotation.narrow(1, rotation.shape[1] - count, count).flip(1);
        var values = eigenvalues.narrow(0, eigenvalues.shape[0] - count, count).flip(0);
        var vectors = space.Vectors.matmul(leading);
        var residuals = space.Images.matmul(leading).sub_(vectors * values);
        return (new RitzPairs(vectors, values.ToDoubles(), residuals.norm(0, keepdim: false, p: 2f).ToDoubles()), residuals);
    }

    // All wanted pairs, and the one after them, whose distance bounds the last one's error.
    private static long[] Unsettled(RitzPairs pairs, double[]? errors, int count, double accuracy)
    {
        var floor = ResidualFloor * Math.Sqrt(pairs.Vectors.shape[0]) * pairs.Eigenvalues[0];
        return [.. Enumerable.Range(0, pairs.Eigenvalues.Length)
            .Where(j => pairs.Residuals[j] > floor)
            .Where(j => errors is null || (j < count ? errors[j] > accuracy : errors.Any(error => error > accuracy)))
            .Select(j => (long)j)];
    }

    // Davidson's step. The first coordinates are in the space already, and where Λ − θ vanishes, so is the direction it would blow up.
    private Tensor Corrections(RitzPairs pairs, Tensor residuals, long[] open, int fixedCoordinates)
    {
        var chosen = tensor(open, dtype: ScalarType.Int64, device: residuals.device);
        var values = tensor(Array.ConvertAll(open, j => pairs.Eigenvalues[j]), dtype: ScalarType.Float64, device: residuals.device);
        var smallest = 1e-12 * pairs.Eigenvalues[0];
        var distance = _diagonal - values;
        distance = distance.masked_fill(distance.abs() < smallest, smallest);
        var steps = residuals.index_select(1, chosen).div_(distance);
        steps.narrow(0, 0, fixedCoordinates).zero_();
        return steps.div_(steps.norm(0, keepdim: true, p: 2f).clamp_min_(double.Epsilon));
    }

    private bool NothingIsMissing(RitzPairs pairs, int count, double tolerance)
    {
        var end = ValueGroups.Of(pairs.SingularValues, tolerance).First(group => group.End.Value >= count).End.Value;
        var threshold = new EigenvalueCount(_diagonal, _near, _image, _farGram);
        return threshold.Above(pairs.Eigenvalues[end], pairs.Eigenvalues[end - 1]) == end;
    }
}

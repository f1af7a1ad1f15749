using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>The singular basis of a base matrix W0: computed once, it makes every later look at a change of this base cheap.</summary>
/// <remarks>
/// Up to a shorter side of 4,096, or 8,192 in a matrix that is not square, the complete basis, as float64 eigenvectors of the smaller Gram
/// matrix (8 bytes times the square of that side: 4.7 MB at 768, 134 MB at 4,096); beyond, the leading triples, at most 64, that block
/// Krylov settles, each with a bound of its error, or the complete basis where too few settle. Owns its tensors, on the device of the
/// matrix; immutable and thread safe until disposed.
/// </remarks>
public sealed class BaseSpectrum : IDisposable
{
    /// <summary>Gram matrices know singular values below this share of the largest no better than zero.</summary>
    internal const double GramResolution = 1e-7;

    private const int MaxIterations = 8;
    private const int MoreThanKept = 16;
    // Decisions take account of each vector's own error; one that is further off would settle none.
    private const double LeadingAccuracy = 1e-2;
    private const double NormTolerance = 1e-12;
    private const double CompleteProbeTolerance = 1e-11;

    internal BaseSpectrum(long rows, long columns, double frobenius, Tensor eigenvalues, Tensor nearVectors, LeadingFar? far)
    {
        (Rows, Columns, Frobenius) = (rows, columns, frobenius);
        Eigenvalues = eigenvalues.DetachFromDisposeScope();
        NearVectors = nearVectors.DetachFromDisposeScope();
        FarVectors = far?.Vectors.DetachFromDisposeScope();
        VectorErrors = far?.Errors ?? new double[nearVectors.shape[1]];
        SingularValues = Array.ConvertAll(eigenvalues.ToDoubles(), Math.Sqrt);
    }

    /// <summary>Outputs of the linear map.</summary>
    public long Rows { get; }

    /// <summary>Inputs of the linear map.</summary>
    public long Columns { get; }

    /// <summary>‖W0‖ of Frobenius.</summary>
    public double Frobenius { get; }

    /// <summary>The singular values kept, descending; float64.</summary>
    public IReadOnlyList<double> SingularValues { get; }

    /// <summary>Whether the basis holds all min(rows, columns) vectors.</summary>
    public bool IsComplete => FarVectors is null;

    /// <summary>Squares of the singular values kept (n), descending.</summary>
    internal Tensor Eigenvalues { get; }

    /// <summary>Singular vectors on the shorter side (near, n).</summary>
    internal Tensor NearVectors { get; }

    /// <summary>Singular vectors on the longer side (far, n); null when the basis is complete, which makes them computable.</summary>
    internal Tensor? FarVectors { get; }

    /// <summary>How far each vector on the shorter side may be off, as the sine of an angle; 0 in a complete basis.</summary>
    internal IReadOnlyList<double> VectorErrors { get; }

    /// <summary>Computes the basis of a matrix.</summary>
    /// <param name="name">What messages call the matrix.</param>
    /// <param name="weight">W0 (rows, columns) in float64, float32, float16 or bfloat16.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="ArgumentException">It is no matrix of finite numbers.</exception>
    public static BaseSpectrum Compute(string name, Tensor weight) => Compute(name, weight, BasisPlan.Default);

    internal static BaseSpectrum Compute(string name, Tensor weight, BasisPlan plan)
    {
        WeightChange.CheckMatrix(name, "the base", weight);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var wide = weight.detach().to(ScalarType.Float64);
        var matrix = weight.shape[0] > weight.shape[1] ? wide.t() : wide;
        var frobenius = MatrixNorm.Frobenius(name, "the base", matrix);
        var isComplete = plan.IsComplete(matrix.shape[0], matrix.shape[1]);
        var (eigenvalues, near, errors) = isComplete ? Complete(matrix) : Leading(matrix, plan.Leading);
        if (!isComplete && eigenvalues.shape[0] < plan.Fewest)
        {
            isComplete = true;
            (eigenvalues, near, errors) = Complete(matrix);
        }
        // An eigenvalue of zero has no vector on the long side; none is kept.
        var far = isComplete ? null : new LeadingFar(matrix.t().Times(near).div_(eigenvalues.sqrt()).contiguous(), errors);
        return new BaseSpectrum(weight.shape[0], weight.shape[1], frobenius, eigenvalues, near, far);
    }

    /// <summary>
    /// Whether this is the basis of a base: the norm must agree, and the product with one vector that meets every direction kept.
    /// </summary>
    /// <param name="matrix">The base, turned wide (near, far), in float64.</param>
    /// <param name="frobenius">Its norm.</param>
    internal bool BelongsTo(Tensor matrix, double frobenius)
    {
        using var scope = NewDisposeScope();
        if (matrix.shape[0] != Math.Min(Rows, Columns) || matrix.shape[1] != Math.Max(Rows, Columns)) return false;
        if (Math.Abs(frobenius - Frobenius) > NormTolerance * Frobenius) return false;
        if (frobenius == 0 || Eigenvalues.shape[0] == 0) return true;
        // Not constant, so that exchanged directions are noticed.
        var mix = arange(2, Eigenvalues.shape[0] + 2, dtype: ScalarType.Float64, device: matrix.device).log().reciprocal();
        var product = matrix.mv(matrix.t().mv(NearVectors.mv(mix)));
        var difference = product.sub_(NearVectors.mv(mix * Eigenvalues)).norm().ToDouble();
        return difference <= (CompleteProbeTolerance + VectorErrors.Max()) * frobenius * frobenius * mix.norm().ToDouble();
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        Eigenvalues.Dispose();
        NearVectors.Dispose();
        FarVectors?.Dispose();
    }

    private static (Tensor Eigenvalues, Tensor Vectors, double[] Errors) Complete(Tensor matrix)
    {
        var (eigenvalues, vectors) = linalg.eigh(matrix.matmul(matrix.t()));
        return (eigenvalues.flip(0).clamp_min_(0), vectors.flip(1).contiguous(), []);
    }

    private static (Tensor Eigenvalues, Tensor Vectors, double[] Errors) Leading(Tensor matrix, int wanted)
    {
        var pairs = BlockKrylov.Find(
            matrix.Times, matrix.t().Times, start: null, matrix.shape[0], wanted + MoreThanKept, MaxIterations,
            found => Settled(found) >= wanted, matrix.device);
        var kept = Math.Min(wanted, Settled(pairs));
        var eigenvalues = tensor(pairs.Eigenvalues[..kept], dtype: ScalarType.Float64, device: matrix.device);
        return (eigenvalues, pairs.Vectors.narrow(1, 0, kept).contiguous(), kept == 0 ? [] : pairs.Errors(kept, GramResolution)!);
    }

    private static int Settled(RitzPairs pairs)
    {
        var smallest = GramResolution * Math.Sqrt(Math.Max(0, pairs.Eigenvalues[0]));
        for (var count = pairs.Eigenvalues.Length - 1; count > 0; count--)
        {
            if (pairs.SingularValues[count - 1] > smallest
                && pairs.Errors(count, GramResolution) is { } errors && errors.Max() <= LeadingAccuracy)
            {
                return count;
            }
        }
        return 0;
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Norms that are checked: squares of huge float64 numbers leave the range.</summary>
internal static class MatrixNorm
{
    // Gram matrices hold squares, which must neither overflow nor lose everything to underflow.
    private const double Largest = 1e150;
    private const double Smallest = 1e-150;

    /// <summary>‖matrix‖ of Frobenius.</summary>
    /// <exception cref="ArgumentException">It is so large or so small that its square leaves float64.</exception>
    public static double Frobenius(string name, string role, Tensor matrix)
    {
        using var scope = NewDisposeScope();
        var norm = matrix.norm().ToDouble();
        if (norm == 0 && matrix.abs().max().ToDouble() == 0) return 0;
        return norm is >= Smallest and <= Largest
            ? norm
            : throw new ArgumentException(
                $"{name}: {role} has Frobenius norm {norm:G3}; singular values are computed between {Smallest:G1} and {Largest:G1}. "
                + "Rescale the matrix.");
    }
}

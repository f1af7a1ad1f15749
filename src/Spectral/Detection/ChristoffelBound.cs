using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>How much of a vector can lie in one single singular direction of the base, when the base's small directions are not known.</summary>
/// <remarks>
/// Seen from a vector r, the spectrum of G = M0 M0ᵀ is a measure with mass (u_iᵀ r)² at each eigenvalue. With p_t its orthonormal
/// polynomials, which Lanczos steps from r give, no point λ carries more than ‖r‖² / Σ p_t(λ)² (Christoffel); see Szegő, Orthogonal
/// Polynomials, theorem 3.41.1. r must be orthogonal to the directions that are known.
/// </remarks>
internal static class ChristoffelBound
{
    private const int Steps = 32;
    private const int GridPoints = 4000;

    // The sum is a polynomial of degree 62, so between the points of the grid it can change by far less.
    private const double BetweenGridPoints = 1.02;

    /// <summary>For each column, a number that no |u_iᵀ r| exceeds.</summary>
    /// <param name="gram">G X, for a matrix X of several columns.</param>
    /// <param name="residuals">The vectors r (n, count), none zero.</param>
    /// <param name="known">Known directions (n, m), removed again at every step.</param>
    /// <param name="largest">No unknown eigenvalue exceeds this.</param>
    public static double[] Of(Func<Tensor, Tensor> gram, Tensor residuals, Tensor known, double largest)
    {
        using var scope = NewDisposeScope();
        var lengths = residuals.norm(0, keepdim: true, p: 2f);
        var (diagonal, offDiagonal) = Lanczos(gram, residuals / lengths, known);
        var norms = lengths.ToDoubles();
        return [.. norms.Select((norm, column) =>
            Math.Min(norm, norm * Math.Sqrt(LargestShare(Column(diagonal, column), Column(offDiagonal, column), largest) * BetweenGridPoints)))];
    }

    // All columns at once, each with its own recurrence: rows of the results are steps.
    private static (double[,] Diagonal, double[,] OffDiagonal) Lanczos(Func<Tensor, Tensor> gram, Tensor start, Tensor known)
    {
        var (vectors, diagonal, offDiagonal) = (new List<Tensor> { start }, new List<Tensor>(), new List<Tensor>());
        for (var step = 0; step < Steps; step++)
        {
            var next = gram(vectors[step]);
            diagonal.Add((next * vectors[step]).sum(0L));
            for (var pass = 0; pass < 2; pass++)
            {
                foreach (var earlier in vectors) next = next - (earlier * (earlier * next).sum(0L));
                next = next - known.matmul(known.t().matmul(next));
            }
            var length = next.norm(0, keepdim: false, p: 2f);
            offDiagonal.Add(length);
            vectors.Add(next / length.clamp_min(double.Epsilon));
        }
        return (stack(diagonal).ToMatrix(), stack(offDiagonal).ToMatrix());
    }

    private static double LargestShare(double[] diagonal, double[] offDiagonal, double largest)
    {
        var share = 0.0;
        for (var point = 0; point <= GridPoints; point++)
            share = Math.Max(share, 1 / SumOfSquares(diagonal, offDiagonal, largest * 0.5 * (1 - Math.Cos(Math.PI * point / GridPoints)), largest));
        return share;
    }

    // b_{t+1} p_{t+1} = (λ − a_t) p_t − b_t p_{t−1}. The recurrence ends early where the measure has few points.
    private static double SumOfSquares(double[] diagonal, double[] offDiagonal, double at, double largest)
    {
        var (previous, current, sum) = (0.0, 1.0, 1.0);
        for (var step = 0; step + 1 < diagonal.Length && offDiagonal[step] > 1e-10 * largest; step++)
        {
            var before = step == 0 ? 0 : offDiagonal[step - 1];
            (previous, current) = (current, (((at - diagonal[step]) * current) - (before * previous)) / offDiagonal[step]);
            sum += current * current;
        }
        return sum;
    }

    private static double[] Column(double[,] matrix, int column) =>
        [.. Enumerable.Range(0, matrix.GetLength(0)).Select(row => matrix[row, column])];
}

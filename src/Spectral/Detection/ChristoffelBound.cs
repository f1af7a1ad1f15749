using MathNet.Numerics.LinearAlgebra;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>How much of a vector can lie in one single singular direction of the base, when the base's small directions are not known.</summary>
/// <remarks>
/// Seen from a vector r, the spectrum of G = M0 M0ᵀ is a measure with mass (u_iᵀ r)² at each eigenvalue. Lanczos steps from r give its
/// Gauss quadrature: nodes, and Christoffel numbers as weights. By the separation theorem of Chebyshev, Markov and Stieltjes the numbers
/// are the masses of adjoining intervals with one node each (Szegő, Orthogonal Polynomials, theorem 3.41.1), so no single point carries
/// more than two neighbouring ones. r must be orthogonal to the directions that are known.
/// </remarks>
internal static class ChristoffelBound
{
    private const int MaxSteps = 32;

    // A coupling below this share of the largest entry is rounding: the measure has no more points.
    private const double NoCoupling = 1e-12;

    /// <summary>For each column, a number that no |u_iᵀ r| exceeds.</summary>
    /// <param name="gram">G X, for a matrix X of several columns.</param>
    /// <param name="residuals">The vectors r (n, count), also zero.</param>
    /// <param name="known">Known directions (n, m), removed again at every step.</param>
    public static double[] Of(Func<Tensor, Tensor> gram, Tensor residuals, Tensor known)
    {
        using var scope = NewDisposeScope();
        var lengths = residuals.norm(0, keepdim: true, p: 2f).clamp_min_(double.Epsilon);
        var (diagonal, offDiagonal) = Lanczos(gram, residuals / lengths, known);
        return [.. lengths.ToDoubles().Select((length, column) =>
            length * Math.Sqrt(LargestMass(Column(diagonal, column), Column(offDiagonal, column))))];
    }

    // All columns at once, each with its own recurrence: rows of the results are steps.
    private static (double[,] Diagonal, double[,] OffDiagonal) Lanczos(Func<Tensor, Tensor> gram, Tensor start, Tensor known)
    {
        var steps = Math.Min(MaxSteps, start.shape[0]);
        var (vectors, diagonal, offDiagonal) = (new List<Tensor> { start }, new List<Tensor>(), new List<Tensor>());
        for (var step = 0; step < steps; step++)
        {
            var next = gram(vectors[step]);
            diagonal.Add((next * vectors[step]).sum(0L));
            for (var pass = 0; pass < 2; pass++)
            {
                foreach (var earlier in vectors) next = next - (earlier * (earlier * next).sum(0L));
                next = next - known.Times(known.t().Times(next));
            }
            var length = next.norm(0, keepdim: false, p: 2f);
            offDiagonal.Add(length);
            vectors.Add(next / length.clamp_min(double.Epsilon));
        }
        return (stack(diagonal).ToMatrix(), stack(offDiagonal).ToMatrix());
    }

    // Weights are the squares of the first components of the eigenvectors of the tridiagonal matrix.
    private static double LargestMass(double[] diagonal, double[] offDiagonal)
    {
        var steps = 1;
        while (steps < diagonal.Length && offDiagonal[steps - 1] > NoCoupling * diagonal.Max()) steps++;
        var jacobi = Matrix<double>.Build.Dense(steps, steps, (i, j) =>
            i == j ? diagonal[i] : Math.Abs(i - j) == 1 ? offDiagonal[Math.Min(i, j)] : 0);
        var decomposition = jacobi.Evd(Symmetricity.Symmetric);        // nodes ascending
        var weights = decomposition.EigenVectors.Row(0).Select(component => component * component).ToList();
        return Math.Min(1, Enumerable.Range(0, steps).Max(i => weights[i] + (i + 1 < steps ? weights[i + 1] : 0)));
    }

    private static double[] Column(double[,] matrix, int column) =>
        [.. Enumerable.Range(0, matrix.GetLength(0)).Select(row => matrix[row, column])];
}

using MathNet.Numerics.LinearAlgebra;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>How much of a vector can lie in one singular direction of the base, or one subspace, among those that are not known.</summary>
/// <remarks>
/// Seen from a vector r, the spectrum of G = M0 M0ᵀ is a measure with mass (u_iᵀ r)² at each eigenvalue. Lanczos steps from r give its
/// Gauss quadrature: nodes, and Christoffel numbers as weights. By the separation theorem of Chebyshev, Markov and Stieltjes the numbers
/// are the masses of adjoining intervals with one node each (Szegő, Orthogonal Polynomials, theorem 3.41.1), so no single point carries
/// more than two neighbouring ones, and no cluster of points more than three, once nodes within a cluster's width count as one. r must be
/// orthogonal to the directions that are known.
/// </remarks>
internal static class ChristoffelBound
{
    private const int MaxSteps = 32;
    private const int StepsBetweenLooks = 8;

    // A coupling below this share of the largest entry is rounding: the measure has no more points.
    private const double NoCoupling = 1e-12;

    /// <summary>
    /// For each column, a number that no |u_iᵀ r| exceeds, nor the length of r's part in a subspace of nearly equal values.
    /// </summary>
    /// <param name="gram">G X, for a matrix X of several columns.</param>
    /// <param name="residuals">The vectors r (n, count), also zero.</param>
    /// <param name="known">Known directions (n, m), removed again at every step.</param>
    /// <param name="width">Singular values closer than this are nearly equal.</param>
    /// <param name="isEnough">Looks at the numbers every few steps; more steps give smaller ones.</param>
    public static double[] Of(Func<Tensor, Tensor> gram, Tensor residuals, Tensor known, double width, Func<double[], bool> isEnough)
    {
        using var scope = NewDisposeScope();
        var lengths = residuals.norm(0, keepdim: true, p: 2f).clamp_min_(double.Epsilon);
        var norms = lengths.ToDoubles();
        var (vectors, diagonal, offDiagonal) = (new List<Tensor> { residuals / lengths }, new List<Tensor>(), new List<Tensor>());
        for (var steps = Math.Min(MaxSteps, residuals.shape[0]); ;)
        {
            Step(gram, known, vectors, diagonal, offDiagonal);
            var isLast = diagonal.Count == steps;
            if (!isLast && diagonal.Count % StepsBetweenLooks != 0) continue;
            var (a, b) = (stack(diagonal).ToMatrix(), stack(offDiagonal).ToMatrix());
            double[] bounds =
                [.. norms.Select((length, column) => length * Math.Sqrt(LargestMass(Column(a, column), Column(b, column), width)))];
            if (isLast || isEnough(bounds)) return bounds;
        }
    }

    // One Lanczos step of all columns at once, each with its own recurrence.
    private static void Step(Func<Tensor, Tensor> gram, Tensor known, List<Tensor> vectors, List<Tensor> diagonal, List<Tensor> offDiagonal)
    {
        var next = gram(vectors[^1]);
        diagonal.Add((next * vectors[^1]).sum(0L));
        for (var pass = 0; pass < 2; pass++)
        {
            foreach (var earlier in vectors) next = next - (earlier * (earlier * next).sum(0L));
            next = next - known.Times(known.t().Times(next));
        }
        var length = next.norm(0, keepdim: false, p: 2f);
        offDiagonal.Add(length);
        vectors.Add(next / length.clamp_min(double.Epsilon));
    }

    // Weights are the squares of the first components of the eigenvectors of the tridiagonal matrix.
    private static double LargestMass(double[] diagonal, double[] offDiagonal, double width)
    {
        var steps = 1;
        while (steps < diagonal.Length && offDiagonal[steps - 1] > NoCoupling * diagonal.Max()) steps++;
        var jacobi = Matrix<double>.Build.Dense(steps, steps, (i, j) =>
            i == j ? diagonal[i] : Math.Abs(i - j) == 1 ? offDiagonal[Math.Min(i, j)] : 0);
        var decomposition = jacobi.Evd(Symmetricity.Symmetric);        // nodes ascending
        var values = decomposition.EigenValues.Select(node => -Math.Sqrt(Math.Max(0, node.Real))).ToList();
        var masses = ValueGroups.Of(values, (one, next) => one - next <= 2 * width)
            .ConvertAll(group => Enumerable.Range(group.Start.Value, group.End.Value - group.Start.Value)
                .Sum(i => decomposition.EigenVectors[0, i] * decomposition.EigenVectors[0, i]));
        return Math.Min(1, Enumerable.Range(0, masses.Count).Max(i => masses.Skip(i - 1).Take(i == 0 ? 2 : 3).Sum()));
    }

    private static double[] Column(double[,] matrix, int column) =>
        [.. Enumerable.Range(0, matrix.GetLength(0)).Select(row => matrix[row, column])];
}

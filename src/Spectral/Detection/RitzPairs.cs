using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Approximate leading eigenpairs of a Gram matrix G = M Mᵀ, with what is known of their errors.</summary>
/// <param name="Vectors">Orthonormal columns (near, count), eigenvalues descending.</param>
/// <param name="Eigenvalues">θ, the squares of singular values of M.</param>
/// <param name="Residuals">‖G x − θ x‖ of each.</param>
internal sealed record RitzPairs(Tensor Vectors, double[] Eigenvalues, double[] Residuals)
{
    /// <summary>Square roots of the eigenvalues.</summary>
    public double[] SingularValues => Array.ConvertAll(Eigenvalues, value => Math.Sqrt(Math.Max(0, value)));

    /// <summary>How far each of the first <paramref name="count"/> vectors may be off: the sine of its angle to the exact one.</summary>
    /// <param name="count">How many are wanted.</param>
    /// <param name="tolerance">Singular values closer than this share of the largest are one subspace, whose angle is then bounded.</param>
    /// <returns>
    /// Residual over the distance to the nearest other eigenvalue (Davis and Kahan's sine theorem); null when the last wanted value belongs
    /// to a group whose end is not in sight.
    /// </returns>
    public double[]? Errors(int count, double tolerance)
    {
        var errors = new double[count];
        foreach (var group in ValueGroups.Of(SingularValues, tolerance))
        {
            var (start, end) = (group.Start.Value, group.End.Value);
            if (start >= count) break;
            if (end == Eigenvalues.Length) return null;
            // The next exact eigenvalue lies within its residual of the approximate one.
            var gap = Eigenvalues[end - 1] - Eigenvalues[end] - Residuals[end];
            if (start > 0) gap = Math.Min(gap, Eigenvalues[start - 1] - Eigenvalues[start] - Residuals[start - 1]);
            var worst = Residuals[start..end].Max();
            Array.Fill(errors, gap > 0 ? Math.Min(1, worst / gap) : 1, start, Math.Min(end, count) - start);
        }
        return errors;
    }
}

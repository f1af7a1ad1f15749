using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Leading vectors of a tuned matrix beside those of the base that a <see cref="BaseSpectrum"/> keeps.</summary>
internal sealed class BasisComparison(OrientedChange change, BaseSpectrum basis, bool isNearSide)
{
    // Eigenvectors of a float64 Gram matrix whose eigenvalues are closer than this share of the largest may be off by 1e-6.
    private const double EigenvalueResolution = 5e-9;

    /// <summary>Inner products with the base vectors kept.</summary>
    /// <param name="triples">The leading triples.</param>
    /// <param name="tolerance">Singular values closer than this share of the largest are one subspace.</param>
    public CosineTable Cosines(LeadingTriples triples, double tolerance)
    {
        using var scope = NewDisposeScope();
        var values = basis.SingularValues;
        var largest = values.Count == 0 ? 0 : values[0];
        var groups = ValueGroups.Of(values, (higher, lower) =>
            higher - lower <= tolerance * largest || (higher * higher) - (lower * lower) <= EigenvalueResolution * largest * largest);
        return new CosineTable(
            Products(triples).ToMatrix(), groups, values.Count(value => value > BaseSpectrum.GramResolution * largest),
            [.. basis.VectorErrors.Select((error, i) => OnSide(error, values[i], largest))], basis.IsComplete,
            NullSpaceIsSpanned: isNearSide || change.Near == change.Far);
    }

    /// <summary>For some triples, a number that their |cosine| with no unknown base vector exceeds.</summary>
    /// <param name="triples">The leading triples.</param>
    /// <param name="columns">Which of them.</param>
    /// <param name="tolerance">Singular values closer than this share of the largest are one subspace.</param>
    /// <param name="isEnough">Looks at the numbers while they get smaller.</param>
    public double[] UnknownCosines(LeadingTriples triples, int[] columns, double tolerance, Func<double[], bool> isEnough)
    {
        using var scope = NewDisposeScope();
        var chosen = tensor(Array.ConvertAll(columns, column => (long)column), dtype: ScalarType.Int64, device: change.Base.device);
        var vectors = Vectors(triples).index_select(1, chosen);
        var known = isNearSide ? basis.NearVectors : basis.FarVectors!;
        var residuals = vectors - known.Times(known.t().Times(vectors));
        // The norm stands in for a largest value that is not known.
        var width = tolerance * (basis.SingularValues.Count == 0 ? basis.Frobenius : basis.SingularValues[0]);
        return ChristoffelBound.Of(Gram, residuals, known, width, isEnough);
    }

    /// <summary>How far a cosine with a base vector kept may be off because of that vector, at most.</summary>
    public double LargestError =>
        basis.VectorErrors.Select((error, i) => OnSide(error, basis.SingularValues[i], basis.SingularValues[0])).DefaultIfEmpty().Max();

    /// <summary>How far a cosine with a triple's vector may be off because of that vector.</summary>
    public double ErrorOf(LeadingTriples triples, int index) => OnSide(triples.Errors[index], triples.Values[index], triples.Values[0]);

    // A far vector is Mᵀu / σ, which enlarges the error of u by σ₁ / σ at most.
    private double OnSide(double error, double value, double largest) =>
        isNearSide || error == 0 ? error : Math.Min(1, error * largest / value);

    private Tensor Products(LeadingTriples triples)
    {
        if (isNearSide) return basis.NearVectors.t().Times(triples.Near);
        if (basis.FarVectors is { } far) return far.t().Times(triples.Far);
        // v0 = M0ᵀ u0 / σ0; rows of a σ0 of zero are not looked at.
        var lengths = basis.Eigenvalues.sqrt().clamp_min(double.Epsilon).unsqueeze(1);
        return basis.NearVectors.t().Times(change.Base.Times(triples.Far)) / lengths;
    }

    private Tensor Vectors(LeadingTriples triples) => isNearSide ? triples.Near : triples.Far;

    private Tensor Gram(Tensor x) => isNearSide ? change.Base.Times(change.Base.t().Times(x)) : change.Base.t().Times(change.Base.Times(x));
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>The size and spread of a change ΔW, from its singular values σ.</summary>
/// <param name="Frobenius">√Σσ².</param>
/// <param name="StableRank">Σσ² / σ₁²; 0 for no change.</param>
/// <param name="EffectiveRank">exp of the entropy of σ / Σσ (Roy and Vetterli, EUSIPCO 2007); 0 for no change.</param>
internal sealed record DeltaSpectrum(double Frobenius, double StableRank, double EffectiveRank)
{
    /// <summary>Measures the change; a dense one costs the eigenvalues of a Gram matrix.</summary>
    public static DeltaSpectrum Measure(OrientedChange change)
    {
        using var scope = NewDisposeScope();
        return FromSingularValues((change.NearFactor is null ? DenseValues(change) : FactorValues(change)).ToDoubles());
    }

    internal static DeltaSpectrum FromSingularValues(double[] values)
    {
        var largest = values.Max();
        if (largest == 0) return new DeltaSpectrum(0, 0, 0);
        var relative = values.Select(value => value / largest).ToList();          // squares of very small or large values stay in range
        var squares = relative.Sum(value => value * value);
        var total = relative.Sum();
        var entropy = -relative.Where(value => value > 0).Sum(value => value / total * Math.Log(value / total));
        return new DeltaSpectrum(largest * Math.Sqrt(squares), squares, Math.Exp(entropy));
    }

    // With F = Q_F R_F and E = Q_E R_E, F Eᵀ has the singular values of the small R_F R_Eᵀ.
    private static Tensor FactorValues(OrientedChange change)
    {
        var (_, near) = linalg.qr(change.NearFactor!);
        var (_, far) = linalg.qr(change.FarFactor!);
        return linalg.svdvals(near.matmul(far.t()));
    }

    // Eigenvalues lose singular values below 1e-8 of the largest, which carry no weight in any of the three numbers.
    private static Tensor DenseValues(OrientedChange change)
    {
        var difference = change.Difference;
        return linalg.eigvalsh(difference.matmul(difference.t())).clamp_min(0).sqrt();
    }
}

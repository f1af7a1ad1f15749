namespace MLNetLoRA.Spectral;

/// <summary>Frobenius norms of base and tuned matrix, and the size and spread of the change.</summary>
internal sealed record ChangeNorms(double Base, double Tuned, DeltaSpectrum Delta)
{
    /// <exception cref="ArgumentException">A norm leaves the range in which squares can be computed.</exception>
    public static ChangeNorms Measure(string name, OrientedChange change)
    {
        var baseNorm = MatrixNorm.Frobenius(name, "the base", change.Base);
        var delta = DeltaSpectrum.Measure(change);
        return new ChangeNorms(baseNorm, TunedNorm(name, change, baseNorm, delta), delta);
    }

    // ‖W0 + ΔW‖² = ‖W0‖² + 2⟨W0, ΔW⟩ + ‖ΔW‖², where factors give the product without the matrix.
    private static double TunedNorm(string name, OrientedChange change, double baseNorm, DeltaSpectrum delta) =>
        change.NearFactor is null
            ? MatrixNorm.Frobenius(name, "the tuned matrix", change.Tuned)
            : Math.Sqrt(Math.Max(0, (baseNorm * baseNorm) + (2 * change.BaseDotDelta()) + (delta.Frobenius * delta.Frobenius)));
}

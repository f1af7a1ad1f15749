namespace MLNetLoRA.Spectral;

/// <summary>What is known of the largest |cosine| of one singular vector with those of the base.</summary>
/// <param name="Largest">The largest found.</param>
/// <param name="Lower">No choice of vectors inside nearly degenerate subspaces gives less.</param>
/// <param name="KnownUpper">No such choice gives more with the base vectors looked at.</param>
/// <param name="Upper">No such choice, and no base vector outside those looked at, gives more.</param>
/// <param name="ResidualNorm">Length of the part outside the base vectors looked at; 0 when those were all.</param>
/// <param name="Closest">Index of the base vector that gives <paramref name="Largest"/>; null when none does.</param>
internal sealed record CosineInterval(double Largest, double Lower, double KnownUpper, double Upper, double ResidualNorm, int? Closest)
{
    /// <summary>Whether errors up to <paramref name="error"/> cannot change the verdict at a threshold.</summary>
    public bool IsSettled(double epsilon, double error) => Lower - error >= epsilon || Upper + error < epsilon;
}

namespace MLNetLoRA.Spectral;

/// <summary>How much of a base's singular basis is computed and kept.</summary>
/// <param name="CompleteUpTo">Matrices whose shorter side is at most this long get their complete basis.</param>
/// <param name="Leading">How many leading triples of a longer matrix are kept, at most.</param>
internal sealed record BasisPlan(int CompleteUpTo, int Leading)
{
    /// <summary>Up to 1,024 the complete eigenvectors cost less than a second and 8 MB.</summary>
    public static BasisPlan Default { get; } = new(1024, 64);
}

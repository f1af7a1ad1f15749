namespace MLNetLoRA.Spectral;

/// <summary>How much of a base's singular basis is computed and kept.</summary>
/// <param name="CompleteUpTo">Matrices whose shorter side is at most this long get their complete basis.</param>
/// <param name="RectangularUpTo">
/// The same for matrices that are not square: there the eigenvectors cost a fraction of a decomposition, and what lies outside the leading
/// vectors on the longer side may lie outside all of them, which no bound tells.
/// </param>
/// <param name="Leading">How many leading triples of a larger matrix are kept, at most.</param>
/// <param name="Fewest">
/// Where fewer than this many of them settle, the spectrum is flat, and the complete basis is computed after all.
/// </param>
internal sealed record BasisPlan(int CompleteUpTo, int RectangularUpTo, int Leading, int Fewest)
{
    /// <summary>
    /// A complete basis makes every later look several times cheaper than the leading triples do, and no certificate is needed; it costs
    /// less than half of the three decompositions it spares. What limits it is size: 8 bytes times the square of the shorter side.
    /// </summary>
    public static BasisPlan Default { get; } = new(CompleteUpTo: 4096, RectangularUpTo: 8192, Leading: 64, Fewest: 8);

    /// <summary>Whether a matrix (near, far) gets its complete basis at once.</summary>
    public bool IsComplete(long near, long far) => near <= (near == far ? CompleteUpTo : Math.Max(CompleteUpTo, RectangularUpTo));
}

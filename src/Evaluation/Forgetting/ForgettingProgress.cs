namespace MLNetLoRA;

/// <summary>How far a measurement is.</summary>
/// <param name="Positions">Tokens guessed so far, counted once for each state of the model.</param>
/// <param name="TotalPositions">All that will be guessed.</param>
public sealed record ForgettingProgress(long Positions, long TotalPositions);

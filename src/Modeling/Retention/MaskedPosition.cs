namespace MLNetLoRA.Modeling;

/// <summary>One token to be hidden and guessed.</summary>
/// <param name="Window">Index of its window in the corpus.</param>
/// <param name="Token">Its index in the window, special tokens counted.</param>
public readonly record struct MaskedPosition(int Window, int Token);

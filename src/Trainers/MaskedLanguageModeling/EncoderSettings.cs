namespace MLNetLoRA.Trainers;

/// <summary>What of the options outlives a fit of an encoder.</summary>
/// <param name="BatchSize">Rows in one scoring pass.</param>
/// <param name="MaxTokens">Longer rows are cut to this many tokens.</param>
internal sealed record EncoderSettings(int BatchSize, int MaxTokens);

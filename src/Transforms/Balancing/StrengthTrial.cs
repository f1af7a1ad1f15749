namespace MLNetLoRA;

/// <summary>One μ that was tried on a validation set.</summary>
/// <param name="Strength">μ.</param>
/// <param name="Accuracy">Share of the validation rows that were named rightly.</param>
public sealed record StrengthTrial(double Strength, double Accuracy);

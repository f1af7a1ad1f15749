namespace MLNetLoRA;

/// <summary>One λ that was tried on a validation set.</summary>
/// <param name="Scale">λ.</param>
/// <param name="Accuracy">Share of the validation rows that were named rightly.</param>
public sealed record ScaleTrial(double Scale, double Accuracy);

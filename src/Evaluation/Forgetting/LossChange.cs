namespace MLNetLoRA;

/// <summary>How a loss on retention text changed from the base to a fine-tuned model, over the same hidden tokens.</summary>
/// <param name="TunedLoss">Mean loss of the fine-tuned model, in nats per token.</param>
/// <param name="Forgetting">Its loss less the base's, in nats per token: above 0 where fine-tuning made the model forget.</param>
/// <param name="StandardError">
/// Of <paramref name="Forgetting"/>, in nats: of the mean of the paired differences, with finite-population correction; 0 where every token was
/// hidden. It tells how sure the mean over this text is, not what another text would give.
/// </param>
/// <param name="Interval">95 % confidence interval of <paramref name="Forgetting"/>.</param>
public sealed record LossChange(double TunedLoss, double Forgetting, double StandardError, ConfidenceInterval Interval);

/// <summary>A 95 % confidence interval, by Student's t.</summary>
/// <param name="Lower">The lower end.</param>
/// <param name="Upper">The upper end.</param>
public sealed record ConfidenceInterval(double Lower, double Upper);

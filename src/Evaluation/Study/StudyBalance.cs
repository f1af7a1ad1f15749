namespace MLNetLoRA;

/// <summary>A run's model after BalanceRetention at one strength.</summary>
/// <param name="Strength">μ: 0 changes nothing, large values undo the fine-tuning.</param>
/// <param name="Task">On the test rows.</param>
/// <param name="Forgetting">Loss on retention text, which the repair has not seen, less the base's; in nats per token.</param>
/// <param name="ForgettingError">Of <paramref name="Forgetting"/>, for the draw of the hidden tokens.</param>
public sealed record StudyBalance(double Strength, TaskMetric Task, double Forgetting, double ForgettingError);

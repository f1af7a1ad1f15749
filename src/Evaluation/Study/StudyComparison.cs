namespace MLNetLoRA;

/// <summary>Forgetting of a way of fine-tuning beside that of full fine-tuning, at the same task accuracy.</summary>
/// <remarks>
/// For each seed: the highest accuracy that both reach over their learning rates; there the least forgetting of each, by linear interpolation between
/// neighbouring rates.
/// </remarks>
/// <param name="Tuning">The way.</param>
/// <param name="Accuracy">Mean accuracy at which both are compared.</param>
/// <param name="FullForgetting">Mean forgetting of full fine-tuning there, in nats per token.</param>
/// <param name="Forgetting">Mean forgetting of the way.</param>
/// <param name="StandardError">Of the paired difference, over seeds; NaN for one seed.</param>
/// <param name="Seeds">How many.</param>
public sealed record StudyComparison(StudyTuning Tuning, double Accuracy, double FullForgetting, double Forgetting, double StandardError, int Seeds)
{
    /// <summary><see cref="Forgetting"/> less <see cref="FullForgetting"/>: below 0 where the way forgets less.</summary>
    public double Difference => Forgetting - FullForgetting;
}

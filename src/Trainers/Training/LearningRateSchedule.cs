namespace MLNetLoRA;

/// <summary>How the learning rate falls after warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>In a straight line to zero at the last step: the paper's choice and the default.</summary>
    Linear,

    /// <summary>Along half a cosine to zero at the last step.</summary>
    Cosine,

    /// <summary>Not at all.</summary>
    Constant,
}

/// <summary>The factor on the learning rate at each step.</summary>
internal static class LearningRateFactor
{
    /// <summary>The factor, in (0, 1] during training.</summary>
    /// <param name="schedule">What follows the warm-up.</param>
    /// <param name="step">0-based; 0 to <paramref name="totalSteps"/> - 1.</param>
    /// <param name="totalSteps">1 or more.</param>
    /// <param name="warmupRatio">Share of the steps over which the rate rises in a straight line, in [0, 1].</param>
    /// <remarks>As Hugging Face's get_linear_schedule_with_warmup, but the first step is not wasted on a rate of exactly zero.</remarks>
    public static double At(LearningRateSchedule schedule, long step, long totalSteps, double warmupRatio)
    {
        var warmupSteps = (long)Math.Ceiling(warmupRatio * totalSteps);
        if (step < warmupSteps) return (step + 1.0) / warmupSteps;

        var progress = (double)(step - warmupSteps) / Math.Max(1, totalSteps - warmupSteps);    // 0 up to below 1
        return schedule switch
        {
            LearningRateSchedule.Linear => 1 - progress,
            LearningRateSchedule.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
            LearningRateSchedule.Constant => 1,
            _ => throw new ArgumentOutOfRangeException(nameof(schedule), schedule, "Use Linear, Cosine or Constant."),
        };
    }
}

namespace MLNetLoRA.Trainers;

/// <summary>The numbers that one training run goes by, all defaults resolved.</summary>
/// <param name="MaxEpochs">1 or more.</param>
/// <param name="BatchSize">Rows in one forward and backward pass.</param>
/// <param name="AccumulationSteps">Passes whose gradients make one optimizer step.</param>
/// <param name="LearningRate">Peak rate.</param>
/// <param name="Schedule">How the rate falls after warm-up.</param>
/// <param name="WarmupRatio">Share of the steps with a rising rate.</param>
/// <param name="WeightDecay">Decoupled decay per step, on matrices only.</param>
/// <param name="MaxGradientNorm">Longer gradients are shortened to this; null leaves them.</param>
/// <param name="Patience">Epochs without improvement on the validation rows before training stops.</param>
internal sealed record TrainingPlan(
    int MaxEpochs, int BatchSize, int AccumulationSteps, double LearningRate, LearningRateSchedule Schedule, double WarmupRatio,
    double WeightDecay, double? MaxGradientNorm, int Patience)
{
    /// <summary>How fast AdamW forgets squared gradients: 0.999 for fine-tuning.</summary>
    public double SecondMomentDecay { get; init; } = 0.999;

    /// <summary>Steps after which training stops, wherever in an epoch that is; null leaves it to the epochs.</summary>
    public long? MaxSteps { get; init; }

    /// <summary>Steps between two evaluations on the held-out rows; null for none within an epoch.</summary>
    public long? EvaluateEverySteps { get; init; }

    public long RowsPerStep => (long)BatchSize * AccumulationSteps;

    public long StepsPerEpoch(int rows) => (rows + RowsPerStep - 1) / RowsPerStep;

    /// <summary>Steps of the whole run without early stopping: the schedule's length.</summary>
    public long TotalSteps(int rows) => Math.Min(StepsPerEpoch(rows) * MaxEpochs, MaxSteps ?? long.MaxValue);
}

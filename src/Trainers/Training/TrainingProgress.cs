namespace MLNetLoRA;

/// <summary>Where a running fit stands, reported after every optimizer step.</summary>
/// <param name="Epoch">1-based.</param>
/// <param name="MaxEpochs">How many epochs there will be at most.</param>
/// <param name="Step">Optimizer steps done in the whole fit, 1-based.</param>
/// <param name="TotalSteps">Optimizer steps of the whole fit without early stopping.</param>
/// <param name="Loss">Mean training loss of this step, in nats.</param>
/// <param name="LearningRate">The rate of this step.</param>
/// <param name="ElapsedSeconds">Seconds since training began.</param>
public sealed record TrainingProgress(
    int Epoch, int MaxEpochs, long Step, long TotalSteps, double Loss, double LearningRate, double ElapsedSeconds)
{
    /// <summary>Mean loss on the held-out rows after this step, in nats.</summary>
    /// <value>Null, the default, at steps after which nothing was evaluated.</value>
    public double? ValidationLoss { get; init; }
}

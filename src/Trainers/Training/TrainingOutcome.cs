using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>What a training run left behind.</summary>
/// <param name="Weights">Trained and freshly drawn parameters of the kept epoch, by checkpoint key; empty when no epoch ended well.</param>
/// <param name="KeptEpoch">1-based; 0 when no epoch ended well.</param>
/// <param name="Epochs">The epochs that ran to their end.</param>
/// <param name="Evaluations">Held-out losses within the epochs.</param>
/// <param name="Seconds">From the first step to the last validation.</param>
/// <param name="Divergence">Where the numbers blew up; null when they did not.</param>
internal sealed record TrainingOutcome(
    Dictionary<string, Tensor> Weights, int KeptEpoch, IReadOnlyList<EpochReport> Epochs, IReadOnlyList<EvaluationReport> Evaluations, double Seconds,
    Divergence? Divergence);

/// <summary>The step at which a loss or gradient was no longer a number.</summary>
internal sealed record Divergence(long Step, double Loss, double LearningRate);

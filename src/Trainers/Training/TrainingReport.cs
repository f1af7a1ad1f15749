namespace MLNetLoRA;

/// <summary>What a fit did; kept with the model and saved in its file.</summary>
/// <remarks>Immutable. Shares are in [0, 1], losses in nats, times in seconds.</remarks>
public sealed record TrainingReport
{
    /// <summary>"lora" or "full".</summary>
    public required string Method { get; init; }

    /// <summary>Where it ran, for example "cpu" or "cuda:0".</summary>
    public required string Device { get; init; }

    /// <summary>The seed of all its randomness: the same seed and rows give the same model, on the CPU to the bit.</summary>
    public required int Seed { get; init; }

    /// <summary>Peak learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Rows trained on.</summary>
    public required int TrainingRows { get; init; }

    /// <summary>Rows that judged each epoch; 0 without validation.</summary>
    public required int ValidationRows { get; init; }

    /// <summary>Training rows that were longer than the token limit and were cut.</summary>
    public required int TruncatedRows { get; init; }

    /// <summary>Training rows with no text at all; they were trained on as empty sentences.</summary>
    public required int EmptyRows { get; init; }

    /// <summary>Training rows left out because their label was missing.</summary>
    public required int UnlabelledRows { get; init; }

    /// <summary>Numbers that training could change.</summary>
    public required long TrainableParameters { get; init; }

    /// <summary>Numbers in the network altogether.</summary>
    public required long TotalParameters { get; init; }

    /// <summary>One entry for each epoch that ran.</summary>
    public required IReadOnlyList<EpochReport> Epochs { get; init; }

    /// <summary>Held-out losses within the epochs, in the order of their steps; empty unless the fit was asked for them.</summary>
    public IReadOnlyList<EvaluationReport> Evaluations { get; init; } = [];

    /// <summary>The epoch whose weights were kept, 1-based: the best on the validation rows, or the last.</summary>
    public required int KeptEpoch { get; init; }

    /// <summary>Seconds from the first step to the last validation.</summary>
    public required double TrainingSeconds { get; init; }

    /// <summary>Training rows passed per second, validation time included.</summary>
    public double ExamplesPerSecond => TrainingSeconds > 0 ? (double)TrainingRows * Epochs.Count / TrainingSeconds : 0;
}

/// <summary>One epoch of a fit.</summary>
/// <param name="Epoch">1-based.</param>
/// <param name="TrainLoss">Mean training loss while it ran.</param>
/// <param name="ValidationLoss">Mean loss over all validation rows; null without validation.</param>
/// <param name="ValidationAccuracy">Share of all validation rows classified correctly; null without validation.</param>
/// <param name="ValidationMacroAccuracy">Mean of the classes' own accuracies; null without validation.</param>
/// <param name="Seconds">How long it took, validation included.</param>
public sealed record EpochReport(
    int Epoch, double TrainLoss, double? ValidationLoss, double? ValidationAccuracy, double? ValidationMacroAccuracy, double Seconds);

/// <summary>The model judged on the held-out rows in the course of a fit.</summary>
/// <param name="Step">Optimizer steps done by then.</param>
/// <param name="TrainLoss">Mean training loss of the steps since the evaluation before, or since the beginning, in nats.</param>
/// <param name="ValidationLoss">Mean loss over all held-out rows, in nats.</param>
/// <param name="ElapsedSeconds">Seconds of training by then.</param>
public sealed record EvaluationReport(long Step, double TrainLoss, double ValidationLoss, double ElapsedSeconds);

using System.Text.Json.Serialization;

namespace MLNetLoRA.Cli.Training;

/// <summary>What <c>train --json</c> writes. Losses in nats, shares in [0, 1], times in seconds; null for what was not measured.</summary>
/// <param name="Method">"lora" or "full".</param>
/// <param name="Device">Where it ran, for example "cpu" or "cuda:0".</param>
/// <param name="Rows">Rows used, of each file.</param>
/// <param name="TrainableParameters">Numbers that training could change.</param>
/// <param name="TotalParameters">Numbers in the network.</param>
/// <param name="Epochs">One entry for each epoch that ran.</param>
/// <param name="Test">The finished model on the test file.</param>
/// <param name="TrainingSeconds">From the first step to the last validation.</param>
/// <param name="TrainingExamplesPerSecond">Rows, or windows of text, trained on per second, validation time included.</param>
/// <param name="PeakRssBytes">The most memory that the process held.</param>
internal sealed record TrainingSummary<TTest>(
    string Method, string Device, RowCounts Rows, long TrainableParameters, long TotalParameters, IReadOnlyList<EpochSummary> Epochs, TTest? Test,
    double TrainingSeconds, double TrainingExamplesPerSecond, long PeakRssBytes)
{
    public static TrainingSummary<TTest> Of(TrainingReport report, RowCounts rows, TTest? test, long peakRssBytes) => new(
        report.Method, report.Device, rows, report.TrainableParameters, report.TotalParameters,
        [.. report.Epochs.Select(EpochSummary.Of)],
        test, report.TrainingSeconds, report.ExamplesPerSecond, peakRssBytes);

    /// <summary>Held-out losses within the epochs, empty unless they were asked for; absent for tasks that have none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<EvaluationSummary>? Evaluations { get; init; }
}

/// <summary>Rows of a table; paragraphs that are not blank of a text.</summary>
internal sealed record RowCounts(int Train, int Validation, int Test);

/// <summary>One epoch.</summary>
internal sealed record EpochSummary(int Epoch, double TrainLoss, double? ValidationLoss, double? ValidationAccuracy, double Seconds)
{
    public static EpochSummary Of(EpochReport epoch) =>
        new(epoch.Epoch, epoch.TrainLoss, epoch.ValidationLoss, epoch.ValidationAccuracy, epoch.Seconds);
}

/// <summary>The held-out loss after a step, and the mean training loss of the steps since the one before.</summary>
internal sealed record EvaluationSummary(long Step, double TrainLoss, double ValidationLoss, double Seconds)
{
    public static EvaluationSummary Of(EvaluationReport evaluation) =>
        new(evaluation.Step, evaluation.TrainLoss, evaluation.ValidationLoss, evaluation.ElapsedSeconds);
}

/// <summary>A classifier on all rows of the test file.</summary>
internal sealed record ClassificationTest(double Accuracy, double MacroAccuracy, double LogLoss);

/// <summary>A language model on the test file: mean loss per masked token, and how many were masked.</summary>
internal sealed record MaskedTest(double Loss, long Tokens);

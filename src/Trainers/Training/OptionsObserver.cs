using static System.FormattableString;

namespace MLNetLoRA.Trainers;

/// <summary>Passes a run's news on to the options' progress and a log, and its cancellation from the options' token.</summary>
internal sealed class OptionsObserver(CancellationToken cancellation, IProgress<TrainingProgress>? progress, Action<string> log) : ITrainingObserver
{
    public void CheckCancelled() => cancellation.ThrowIfCancellationRequested();

    public void StepEnded(TrainingProgress step) => progress?.Report(step);

    public void EpochEnded(EpochReport epoch) => log(Describe(epoch));

    public void Evaluated(EvaluationReport evaluation, long totalSteps) => log(Describe(evaluation, totalSteps));

    /// <summary>One evaluation in one line, the same in every culture.</summary>
    public static string Describe(EvaluationReport evaluation, long totalSteps) => Invariant(
        $"Step {evaluation.Step} of {totalSteps}: training loss {evaluation.TrainLoss:F4}, validation loss {evaluation.ValidationLoss:F4}.");

    /// <summary>One epoch in one line, the same in every culture.</summary>
    public static string Describe(EpochReport epoch)
    {
        var line = Invariant($"Epoch {epoch.Epoch}: training loss {epoch.TrainLoss:F4}");
        if (epoch.ValidationLoss is { } loss) line += Invariant($", validation loss {loss:F4}");
        if (epoch.ValidationAccuracy is { } accuracy) line += Invariant($", accuracy {accuracy:F4} (macro {epoch.ValidationMacroAccuracy:F4})");
        return line + Invariant($", {epoch.Seconds:F1} s.");
    }
}

using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Carries a fit's news to ML.NET's log and progress and to the options' progress, and cancellation from either side.</summary>
internal sealed class FitObserver : ITrainingObserver
{
    private readonly Action _checkCancelled;
    private readonly IChannel _channel;
    private readonly IProgressChannel _progressChannel;
    private readonly IProgress<TrainingProgress>? _progress;
    private TrainingProgress? _latest;

    public FitObserver(Action checkCancelled, IChannel channel, IProgressChannel progressChannel, IProgress<TrainingProgress>? progress)
    {
        (_checkCancelled, _channel, _progressChannel, _progress) = (checkCancelled, channel, progressChannel, progress);
        progressChannel.SetHeader(new ProgressHeader(["Loss"], ["steps"]), entry =>
        {
            if (_latest is not { } latest) return;
            entry.SetProgress(0, latest.Step, latest.TotalSteps);
            entry.SetMetric(0, latest.Loss);
        });
    }

    public void CheckCancelled() => _checkCancelled();

    public void StepEnded(TrainingProgress progress)
    {
        _latest = progress;
        _progress?.Report(progress);
    }

    public void Evaluated(EvaluationReport evaluation, long totalSteps) => _channel.Info(OptionsObserver.Describe(evaluation, totalSteps));

    // Progress-channel metrics never reach mlContext.Log; the channel's Info does.
    public void EpochEnded(EpochReport epoch)
    {
        _channel.Info(OptionsObserver.Describe(epoch));
        _progressChannel.Checkpoint(epoch.TrainLoss, epoch.Epoch);
    }
}

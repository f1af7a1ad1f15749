using MLNetLoRA.Cli.Output;
using static System.FormattableString;

namespace MLNetLoRA.Cli.Training;

/// <summary>Shows a trainer's steps, on the training thread and in their order: as a bar, and as a line with the loss every half minute.</summary>
/// <remarks>The line comes on a terminal and in a log alike: a run of days must not be silent where there is no bar.</remarks>
internal sealed class StepProgress(WorkProgress progress, TimeProvider? clock = null) : IProgress<TrainingProgress>
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private long? _lineTime;
    private long _steps;
    private double _summedLoss;

    public void Report(TrainingProgress value)
    {
        progress.Advance(value.Step, value.TotalSteps);
        _steps++;
        _summedLoss += value.Loss;
        _lineTime ??= _clock.GetTimestamp();
        if (_clock.GetElapsedTime(_lineTime.Value) < Interval) return;
        progress.Say(Invariant(
            $"Step {value.Step} of {value.TotalSteps}: training loss {_summedLoss / _steps:F4}, the mean of the last {_steps}, learning rate {value.LearningRate:G3}."));
        (_lineTime, _steps, _summedLoss) = (_clock.GetTimestamp(), 0, 0);
    }
}

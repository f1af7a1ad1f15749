using MLNetLoRA.Cli.Output;

namespace MLNetLoRA.Cli.Training;

/// <summary>Shows a trainer's steps, on the training thread and in their order.</summary>
internal sealed class StepProgress(WorkProgress progress) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => progress.Advance(value.Step, value.TotalSteps);
}

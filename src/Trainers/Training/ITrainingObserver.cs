namespace MLNetLoRA.Trainers;

/// <summary>Hears of every step, evaluation and epoch, and may stop the run.</summary>
internal interface ITrainingObserver
{
    /// <summary>Throws when the run shall stop.</summary>
    void CheckCancelled();

    void StepEnded(TrainingProgress progress);

    void Evaluated(EvaluationReport evaluation, long totalSteps);

    void EpochEnded(EpochReport epoch);
}

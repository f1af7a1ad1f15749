namespace MLNetLoRA.Trainers;

/// <summary>How far a training run has come: with the weights and the optimizer's state, all that it needs to go on as if it had never stopped.</summary>
/// <remarks>Immutable. Stands between two steps, never within one.</remarks>
internal sealed record TrainingPosition
{
    /// <summary>The running epoch, 1-based.</summary>
    public required int Epoch { get; init; }

    /// <summary>Optimizer steps done in the whole run.</summary>
    public required long Step { get; init; }

    /// <summary>Optimizer steps done in the running epoch.</summary>
    public required long StepInEpoch { get; init; }

    /// <summary>Training loss of the running epoch.</summary>
    public required LossSum EpochLoss { get; init; }

    /// <summary>Training loss since the last evaluation.</summary>
    public required LossSum RecentLoss { get; init; }

    /// <summary>The epochs that ran to their end.</summary>
    public required IReadOnlyList<EpochReport> Epochs { get; init; }

    /// <summary>The evaluations so far.</summary>
    public required IReadOnlyList<EvaluationReport> Evaluations { get; init; }

    /// <summary>What validation said of the kept epoch; null before the first and without validation.</summary>
    public ValidationOutcome? Best { get; init; }

    /// <summary>Seconds of training so far.</summary>
    public required double ElapsedSeconds { get; init; }

    /// <summary>Seconds of training before the running epoch.</summary>
    public required double EpochStartSeconds { get; init; }

    /// <summary>The random generator before the running epoch's rows were shuffled.</summary>
    public required byte[] EpochRandom { get; init; }

    /// <summary>The random generator now.</summary>
    public required byte[] Random { get; init; }

    /// <summary>The start of a run.</summary>
    public static TrainingPosition Beginning { get; } = new()
    {
        Epoch = 1, Step = 0, StepInEpoch = 0, EpochLoss = default, RecentLoss = default, Epochs = [], Evaluations = [], ElapsedSeconds = 0,
        EpochStartSeconds = 0, EpochRandom = [], Random = [],
    };

    /// <summary>What no run of this plan could have come to; a sentence for each.</summary>
    public IEnumerable<string> Faults(TrainingPlan plan, int rowCount, int keptEpoch)
    {
        var stepsPerEpoch = plan.StepsPerEpoch(rowCount);
        if (Epoch < 1 || Epoch > plan.MaxEpochs) yield return $"epoch is {Epoch} of {plan.MaxEpochs}";
        if (StepInEpoch < 0 || StepInEpoch > stepsPerEpoch) yield return $"step_in_epoch is {StepInEpoch} of {stepsPerEpoch}";
        if (Step < 1 || Step > plan.TotalSteps(rowCount)) yield return $"step is {Step} of {plan.TotalSteps(rowCount)}";
        if (Step != (Epoch - 1) * stepsPerEpoch + StepInEpoch) yield return $"step is {Step}, but epoch {Epoch} has {StepInEpoch} of {stepsPerEpoch} steps";
        if (Epochs.Count != Epoch - 1) yield return $"{Epochs.Count} epochs are reported before epoch {Epoch}";
        if (keptEpoch < 0 || keptEpoch >= Epoch) yield return $"the kept epoch is {keptEpoch} of {Epoch - 1}";
        if (!IsSum(EpochLoss) || !IsSum(RecentLoss)) yield return "a loss is not finite";
        if (!(EpochStartSeconds >= 0 && EpochStartSeconds <= ElapsedSeconds && double.IsFinite(ElapsedSeconds)))
            yield return $"the epoch began after {EpochStartSeconds} of {ElapsedSeconds} seconds";
        if (!FitRandomness.IsState(EpochRandom) || !FitRandomness.IsState(Random)) yield return "the state of the random generator has another size";

        static bool IsSum(LossSum sum) => double.IsFinite(sum.Summed) && double.IsFinite(sum.Weight) && sum.Weight >= 0;
    }
}

using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>Runs that differ in nothing but the seed, averaged.</summary>
/// <remarks>Immutable. Errors are standard errors over seeds, NaN for one seed.</remarks>
public sealed record StudyPoint
{
    /// <summary>How they were trained.</summary>
    public required StudyTuning Tuning { get; init; }

    /// <summary>Peak learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>How many.</summary>
    public required int Runs { get; init; }

    /// <summary>Mean share of test rows predicted right.</summary>
    public required double Accuracy { get; init; }

    /// <summary>Of <see cref="Accuracy"/>.</summary>
    public required double AccuracyError { get; init; }

    /// <summary>Mean log-loss on the test rows, in nats.</summary>
    public required double LogLoss { get; init; }

    /// <summary>Mean forgetting, in nats per token.</summary>
    public required double Forgetting { get; init; }

    /// <summary>Of <see cref="Forgetting"/>.</summary>
    public required double ForgettingError { get; init; }

    /// <summary>Mean number of intruders in all matrices.</summary>
    public required double Intruders { get; init; }

    /// <summary>Mean share of the leading energy that is the intruders'.</summary>
    public required double EnergyShare { get; init; }

    /// <summary>Mean ‖ΔW‖ of all matrices together.</summary>
    public required double DeltaFrobenius { get; init; }

    /// <summary>Mean effective rank of the matrices' changes.</summary>
    public required double EffectiveRank { get; init; }

    internal static StudyPoint Of(IReadOnlyList<StudyRun> runs)
    {
        var (accuracies, forgettings) = (runs.Select(run => run.Task.Accuracy).ToList(), runs.Select(run => run.Forgetting).ToList());
        return new StudyPoint
        {
            Tuning = runs[0].Tuning,
            LearningRate = runs[0].LearningRate,
            Runs = runs.Count,
            Accuracy = accuracies.Average(),
            AccuracyError = SampleMean.StandardError(accuracies),
            LogLoss = runs.Average(run => run.Task.LogLoss),
            Forgetting = forgettings.Average(),
            ForgettingError = SampleMean.StandardError(forgettings),
            Intruders = runs.Average(run => run.Intruders),
            EnergyShare = runs.Average(run => run.EnergyShare),
            DeltaFrobenius = runs.Average(run => run.DeltaFrobenius),
            EffectiveRank = runs.Average(run => run.EffectiveRank),
        };
    }
}

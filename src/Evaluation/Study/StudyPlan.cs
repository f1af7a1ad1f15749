using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>One run that is to be made.</summary>
/// <param name="Tuning">How to train.</param>
/// <param name="LearningRate">Peak learning rate.</param>
/// <param name="Seed">The training's seed.</param>
/// <param name="MeasuresRepair">Whether repairs are measured.</param>
/// <param name="MeasuresGrowth">Whether intruders are counted after each epoch.</param>
internal sealed record StudyPlan(StudyTuning Tuning, double LearningRate, int Seed, bool MeasuresRepair, bool MeasuresGrowth)
{
    public string Name => Invariant($"{Tuning.Name}, rate {LearningRate:G3}, seed {Seed}");

    /// <summary>All runs of a study, seed by seed: one that is cut off has something of everything.</summary>
    public static IReadOnlyList<StudyPlan> Of(PretrainedModel model, StudySettings settings) =>
    [
        .. from seed in settings.Seeds
           from variant in settings.Variants
           from rate in variant.RatesFor(model, settings.Training).Index()
           let isFirst = rate.Index == 0 && seed == settings.Seeds[0]
           select new StudyPlan(variant.Tuning, rate.Item, seed, isFirst && variant.MeasuresRepair, isFirst && variant.MeasuresGrowth),
    ];

    /// <summary>What the trainer is told.</summary>
    public TextClassificationOptions Training(StudySettings settings) => Tuning.Apply(settings.Training) with
    {
        LearningRate = LearningRate,
        Seed = Seed,
        // In memory there is no folder to refer to.
        BaseStorage = BaseStorage.Embedded,
        CancellationToken = settings.CancellationToken,
    };
}

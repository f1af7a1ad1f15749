using Microsoft.ML;
using MLNetLoRA.Evaluation.Tests.Forgetting;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Study;

/// <summary>A study of seconds, and runs that nobody trained.</summary>
internal static class Studies
{
    public static StudySettings Settings { get; } = new()
    {
        Variants =
        [
            new(StudyTuning.Full) { LearningRates = [2e-3] },
            new(StudyTuning.Lora(2)) { LearningRates = [1e-2, 5e-3], MeasuresRepair = true, MeasuresGrowth = true },
        ],
        Seeds = [1, 2],
        Training = CapitalTask.Options with { MaxEpochs = 2 },
        Forgetting = new ForgettingOptions { Positions = 80, MaxTokens = 40, Device = "cpu" },
        BalanceTexts = [.. Enumerable.Range(0, 12).Select(n => $"Tale {n} tells of a hare that sat {n} hours in the rain.")],
        BalanceStrengths = [0.5, 1e6],
        Repair = new RepairCurveOptions { Scales = [0.5, 1], Methods = [RepairMethod.All, RepairMethod.UniformGlobal] },
    };

    public static StudyReport Run(MLContext ml, StudySettings settings) =>
        ml.RunStudy(CapitalTask.Base, Training(ml), Test(ml), Retention.Corpora, settings);

    public static IDataView Training(MLContext ml) => CapitalTask.View(ml, CapitalTask.Rows(64, 1));

    public static IDataView Test(MLContext ml) => CapitalTask.View(ml, CapitalTask.Rows(40, 2));

    public static StudySetup Setup { get; } = new()
    {
        BaseName = "nobody", BaseContentHash = new string('0', 64), TrainingRows = 100, TestRows = 50, Classes = 2, Epochs = 3, BatchSize = 10, MaxTokens = 16,
        Seeds = [1, 2, 3], Corpora = ["texts"], Measure = RetentionMeasure.Sampled, Positions = 100, Epsilon = [0.5, 0.9], TopK = [10],
    };

    /// <summary>A run with four matrices whose counts at ε 0.9 are twice those at 0.5.</summary>
    public static StudyRun Made(
        StudyTuning tuning, double rate, int seed, double accuracy, double forgetting, int intruders, double norm = 1, double effectiveRank = 1, RepairCurve? repair = null,
        IReadOnlyList<StudySnapshot>? growth = null, IReadOnlyList<StudyBalance>? balance = null) => new()
    {
        Tuning = tuning, LearningRate = rate, Seed = seed, TrainLoss = 0.5, Task = new TaskMetric(accuracy, 1 - accuracy), Forgetting = forgetting, ForgettingError = 0.01,
        Counts = [new StudyCount(0.5, 10, intruders, intruders / 40.0), new StudyCount(0.9, 10, 2 * intruders, intruders / 20.0)],
        DeltaFrobenius = norm, EffectiveRank = effectiveRank,
        Matrices = [.. Enumerable.Range(0, 4).Select(n => new StudyMatrix($"layer.{n}.dense", intruders / 4, intruders / 40.0, norm / 2, effectiveRank))],
        Growth = growth ?? [], Repair = repair, Balance = balance ?? [], Similarity = null, TrainingSeconds = 1, Seconds = 2,
    };

    public static StudyReport Of(params IReadOnlyList<StudyRun> runs) => StudyAnalysis.Of(Setup, runs, [], seconds: 1);

    public static StudyClaim Claim(this StudyReport report, string begin) => report.Claims.Single(claim => claim.Name.StartsWith(begin, StringComparison.Ordinal));
}

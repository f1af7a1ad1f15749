namespace MLNetLoRA.Evaluation.Tests.ContinualLearning;

public sealed class ContinualLearningReportTests
{
    // R before the first stage and after each of three.
    private readonly ContinualLearningReport _report = Report([0.30, 0.40, 0.50], [0.90, 0.45, 0.40], [0.95, 0.80, 0.60], [0.70, 0.75, 0.85]);

    [Fact]
    public void AverageAccuracy_KnownMatrix_IsTheMeanOfTheLastRow() => Assert.Equal((0.70 + 0.75 + 0.85) / 3, _report.AverageAccuracy, 12);

    [Fact]
    public void AverageForgetting_KnownMatrix_IsTheBestEarlierStageLessTheLast() =>
        // The first task was best after the second stage.
        Assert.Equal(((0.95 - 0.70) + (0.80 - 0.75)) / 2, _report.AverageForgetting, 12);

    [Fact]
    public void BackwardTransfer_KnownMatrix_IsTheLastLessTheDiagonal() =>
        Assert.Equal(((0.70 - 0.90) + (0.75 - 0.80)) / 2, _report.BackwardTransfer, 12);

    [Fact]
    public void ForwardTransfer_KnownMatrix_IsTheStageBeforeLessTheBase() =>
        Assert.Equal(((0.45 - 0.40) + (0.60 - 0.50)) / 2, _report.ForwardTransfer, 12);

    [Fact]
    public void Measures_NothingEverChanges_AreZero()
    {
        var report = Report([0.5, 0.6], [0.5, 0.6], [0.5, 0.6]);

        Assert.Equal((0.0, 0.0, 0.0), (report.AverageForgetting, report.BackwardTransfer, report.ForwardTransfer));
    }

    /// <summary>A report with these accuracies and no matrices.</summary>
    internal static ContinualLearningReport Report(double[] before, params double[][] after) => new()
    {
        BaseName = "base",
        Method = FineTuningMethod.Lora,
        Adapters = AdapterHandling.Merge,
        Lora = new LoraOptions(),
        Repair = null,
        Spectral = new SpectralSettings(),
        Tasks = [.. before.Select((accuracy, task) => new ContinualTaskSummary($"task {task + 1}", 2, 100, 50, Score(accuracy)))],
        Stages = [.. after.Select((row, stage) => new ContinualStage
        {
            TaskName = $"task {stage + 1}",
            Training = new TrainingReport
            {
                Method = "lora", Device = "cpu", Seed = 1, LearningRate = 1e-3, TrainingRows = 100, ValidationRows = 0, TruncatedRows = 0, EmptyRows = 0,
                UnlabelledRows = 0, TrainableParameters = 10, TotalParameters = 100, Epochs = [new EpochReport(1, 0.5, null, null, null, 2)], KeptEpoch = 1,
                TrainingSeconds = 2,
            },
            Scores = [.. row.Select(Score)],
            Matrices = [],
            Seconds = 3,
        })],
        Seconds = 12,
    };

    private static FreshHeadScore Score(double accuracy) => new(accuracy, accuracy, 1 - accuracy, 0.1);
}

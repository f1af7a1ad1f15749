using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>A continual-learning report as a document.</summary>
internal static class ContinualLearningDocument
{
    public static ReportDocument Of(ContinualLearningReport report) => new(
        $"{report.Tasks.Count} tasks one after the other, from {report.BaseName}",
        Summary(report),
        [
            new ReportSection("Pictures", [.. Pictures(report)]),
            new ReportSection("Numbers", Measures(report), Accuracies(report), Stages(report)),
            new ReportSection("How to read this", new ReportText(Definitions)),
        ]);

    private const string Definitions =
        "R(t, i) is the test accuracy on task i after stage t, by a head trained afresh on the frozen trunk; R(0, i) is that on the original base. With n tasks: "
        + "average accuracy is the mean of R(n, i) over all tasks. Average forgetting is the mean, over all tasks but the last, of the best R(t, i) of stages 1 to "
        + "n - 1 less R(n, i) (Chaudhry et al., 2018). Backward transfer is the mean, over all tasks but the last, of R(n, i) - R(i, i); forward transfer the mean, over "
        + "all tasks but the first, of R(i - 1, i) - R(0, i) (Lopez-Paz and Ranzato, 2017; their baseline is a network of random weights, here it is the pretrained "
        + "base). Intruder dimensions are counted against the original base (arXiv 2410.21228).";

    private static string Summary(ContinualLearningReport report)
    {
        var order = string.Join(" → ", report.Tasks.Select(task => task.Name));
        var forgetting = report.AverageForgetting;
        var lost = forgetting switch
        {
            > 0.0005 => Invariant($"it lost {forgetting:F3} of accuracy on average on the tasks before the last"),
            < -0.0005 => Invariant($"it forgot nothing: on the tasks before the last it gained {-forgetting:F3} of accuracy on average"),
            _ => "it forgot nothing of the tasks before the last",
        };
        var intruders = report.Stages[^1].IntruderCount;
        var found = (report.Adapters, intruders) switch
        {
            (AdapterHandling.Apart, _) => $"its adapters hold {string.Join(", ", report.Stages.Select(stage => stage.IntruderCount))} intruder dimensions against the base",
            (_, 0) => "its weights hold no intruder dimension against the original base",
            (_, 1) => "its weights hold 1 intruder dimension against the original base",
            _ => $"its weights hold {intruders} intruder dimensions against the original base",
        };
        return Invariant($"After {order} by {Method(report)}, {report.BaseName} has an average accuracy of {report.AverageAccuracy:F3}; {lost}, and {found}.");
    }

    private static string Method(ContinualLearningReport report)
    {
        var how = report switch
        {
            { Lora: null } => "full fine-tuning",
            { Adapters: AdapterHandling.Apart } => $"LoRA of rank {report.Lora.Rank}, one adapter a task",
            _ => $"LoRA of rank {report.Lora.Rank}, merged after each task",
        };
        return report.Repair is { } repair ? $"{how} and repaired by {repair}" : how;
    }

    private static IEnumerable<ReportPart> Pictures(ContinualLearningReport report)
    {
        yield return ReportPictures.Grid(
            "Accuracy matrix", "Test accuracy of each task after each stage, by a fresh head on the frozen trunk; the first row is the original base.",
            "task tested", "after learning", [.. report.Tasks.Select(task => task.Name)], StageNames(report), report.Accuracies, "F2", (0, 1));
        yield return ReportPictures.Lines(
            "Accuracy over the stages", "The same numbers as lines, one for each task: where a line falls, something was forgotten.",
            "stage (0 is the original base)", "test accuracy (share of rows)",
            [.. report.Tasks.Select((task, place) => new ReportLine(
                task.Name, [.. report.Accuracies.Select((row, stage) => new ReportPoint(stage, row[place]))]))]);
        if (report.Stages.All(stage => stage.Matrices.Count == 0)) yield break;
        yield return ReportPictures.Lines(
            "Intruder dimensions over the stages", "Their number against the original base, in all matrices together.",
            "stage", "intruder dimensions (count)",
            [new ReportLine("intruders", [.. report.Stages.Select((stage, place) => new ReportPoint(place + 1, stage.IntruderCount, $"{stage.IntruderCount}"))])]);
        yield return ReportPictures.Intruders(report.Stages[^1].Matrices);
    }

    private static ReportTable Measures(ContinualLearningReport report) => new(
        "All tasks together (accuracy, share of test rows).", ["measure", "value"],
        [
            ["average accuracy", ReportNumbers.Share(report.AverageAccuracy)], ["average forgetting", ReportNumbers.Difference(report.AverageForgetting)],
            ["backward transfer", ReportNumbers.Difference(report.BackwardTransfer)], ["forward transfer", ReportNumbers.Difference(report.ForwardTransfer)],
        ]);

    private static ReportTable Accuracies(ContinualLearningReport report) => new(
        "Test accuracy after each stage (share of test rows).", ["after", .. report.Tasks.Select(task => task.Name)],
        [.. StageNames(report).Zip(report.Accuracies, (name, row) => (string[])[name, .. row.Select(ReportNumbers.Share)])]);

    private static ReportTable Stages(ContinualLearningReport report) => new(
        "Each stage. Loss in nats, time in seconds; intruders and ‖ΔW‖ against the original base.",
        ["task", "training rows", "test rows", "epochs", "last training loss", "intruders", "‖ΔW‖", "seconds"],
        [.. report.Stages.Zip(report.Tasks, (stage, task) => (string[])
        [
            stage.TaskName, ReportNumbers.Count(task.TrainingRows), ReportNumbers.Count(task.TestRows), ReportNumbers.Count(stage.Training.Epochs.Count),
            ReportNumbers.Nats(stage.Training.Epochs[^1].TrainLoss), ReportNumbers.Count(stage.IntruderCount), ReportNumbers.General(stage.DeltaFrobenius),
            ReportNumbers.Seconds(stage.Seconds),
        ])]);

    private static List<string> StageNames(ContinualLearningReport report) => ["(base)", .. report.Stages.Select(stage => stage.TaskName)];
}

using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>A retention task's report as a document.</summary>
internal static class RetentionTaskDocument
{
    // Of a normal distribution.
    private const double StandardErrorsOf95Percent = 1.96;

    private const string Definitions =
        "A head is trained afresh on the frozen trunk of the base, and another, from the same values and on the same rows, on that of the fine-tuned model: what the "
        + "second does worse, fine-tuning has cost. The standard error is over the draw of test rows, the two heads compared row by row. Macro accuracy is the mean of "
        + "the classes' accuracies; losses are in nats.";

    public static ReportDocument Of(RetentionTaskReport report) => new(
        $"What {report.BaseName} lost for another task",
        Summary(report),
        [
            new ReportSection("Numbers", new ReportTable(
                Invariant($"A fresh head on either trunk: {report.ClassNames.Count} classes, {report.TrainingRows} training rows, {report.TestRows} test rows."),
                ["trunk", "accuracy", "macro accuracy", "log-loss", "training loss"], [Row("base", report.Base), Row("fine-tuned", report.Tuned)])),
            new ReportSection("How to read this", new ReportText(Definitions)),
        ]);

    private static string Summary(RetentionTaskReport report)
    {
        var method = report.Method == "lora" ? "LoRA" : "full fine-tuning";
        var heads = Invariant($"A fresh head has an accuracy of {report.Base.Accuracy:F3} on the base's trunk and {report.Tuned.Accuracy:F3} after {method}");
        var size = Invariant($"{Math.Abs(report.AccuracyLost):F3} ± {report.StandardError:F3}");
        return Math.Abs(report.AccuracyLost) <= StandardErrorsOf95Percent * report.StandardError ? $"{heads}, a difference that cannot be told from nothing ({size})."
            : report.AccuracyLost > 0 ? $"{heads}: {size} was lost."
            : $"{heads}: {size} was gained.";
    }

    private static string[] Row(string trunk, FreshHeadScore score) =>
        [trunk, ReportNumbers.Share(score.Accuracy), ReportNumbers.Share(score.MacroAccuracy), ReportNumbers.Nats(score.LogLoss), ReportNumbers.Nats(score.TrainingLoss)];
}

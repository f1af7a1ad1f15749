using MLNetLoRA.Evaluation.Tests.ContinualLearning;

namespace MLNetLoRA.Evaluation.Tests.Reporting;

/// <summary>Documents with every kind of part.</summary>
internal static class SampleDocuments
{
    /// <summary>What a hostile file might put into a name: markup, script, quotes, control characters, half a character, other scripts.</summary>
    public const string Hostile = "<script>alert('x')</script> & \"quoted\" | `code` _under_ \u0001\uD800 naïve 日本語";

    public static ReportDocument Everything(string name = "a name") => new(
        $"Title {name}", $"Summary {name}.",
        [
            new ReportSection(
                $"Pictures {name}",
                ReportPictures.Lines(
                    $"Curve {name}", $"Description {name}", $"forgetting {name} (nats per token)", "test accuracy (share of rows)",
                    [
                        new ReportLine($"Top {name}", [new(0, 0.6, "λ 0"), new(0.4, 0.78, "λ 0.5"), new(1.2, 0.8, "λ 1")]),
                        new ReportLine("Uniform", [new(0, 0.6), new(0.3, 0.79), new(1.2, 0.8), new(double.NaN, 0.7)]),
                    ]),
                ReportPictures.Points("Runs", "Forgetting against intruders.", "intruders (count)", "forgetting (nats)", [new ReportLine("runs", [new(1, 0.1), new(7, 0.6)])]),
                ReportPictures.Grid("Grid", "Numbers.", "task", "after", [name, "b"], ["base", "one"], [[0.1, 0.9], [double.NaN, 0.55]], "F2", (0, 1)),
                ReportPictures.Similarity(new SingularVectorSimilarity(name, [.. Enumerable.Range(0, 12).Select(row =>
                    (double[])[.. Enumerable.Range(0, 12).Select(column => row == column ? 1.0 : 0.1)])]))),
            new ReportSection("Numbers", new ReportText($"Text {name}"), new ReportTable($"Caption {name}", ["name", "value"], [[name, "1.5"], ["b", "–"]])),
        ]);

    public static ReportDocument Continual() => ContinualLearningReportTests.Report([0.30, 0.40, 0.50], [0.90, 0.45, 0.40], [0.95, 0.80, 0.60], [0.70, 0.75, 0.85]).ToDocument();
}

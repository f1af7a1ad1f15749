using System.Globalization;
using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>The pictures of a study.</summary>
internal static class StudyPictures
{
    /// <summary>What BalanceRetention is called beside the methods of a repair curve.</summary>
    public const string Balance = "balance";

    private static readonly (string Name, Func<StudyTuning, bool> IsMeant)[] Groups =
    [
        ("full", tuning => tuning == StudyTuning.Full), ("LoRA, α 2r", StudyEvidence.IsLora),
        ("LoRA, α 8", tuning => StudyEvidence.IsAlpha8(tuning) && !StudyEvidence.IsLora(tuning)), ("only B", tuning => tuning.TrainsOnlyB),
        ("LoRA, other α", tuning => tuning is { Method: FineTuningMethod.Lora, TrainsOnlyB: false } && !StudyEvidence.IsLora(tuning) && !StudyEvidence.IsAlpha8(tuning)),
    ];

    public static IEnumerable<ReportPart> Of(StudyReport report)
    {
        yield return Rates(report);
        yield return Runs(report, "Forgetting against intruders", "One point a run.", "intruder dimensions (count)", run => run.Intruders);
        yield return Runs(report, "Forgetting against the size of the change", "One point a run.", "‖ΔW‖ of all matrices", run => run.DeltaFrobenius);
        if (ByRank(report) is { } ranks) yield return ranks;
        yield return Thresholds(report);
        if (report.Runs.Any(run => run.Growth.Count > 0)) yield return Growth(report);
        foreach (var run in report.Runs)
            if (run.Repair is { UnscaledTask: not null } curve) yield return Repairs(run, curve);
        foreach (var run in Shown(report)) yield return Matrices(run);
        foreach (var run in report.Runs)
            if (run.Similarity is { } similarity)
                yield return ReportPictures.Similarity(similarity with { Name = Invariant($"{similarity.Name} ({run.Tuning.Name}, rate {run.LearningRate:G3})") });
    }

    private static ReportPicture Rates(StudyReport report) => ReportPictures.Lines(
        "Task accuracy against forgetting, over learning rates", "One line a way of fine-tuning, one point a learning rate, means over seeds: the upper left is best. Of LoRA the ways with several rates.",
        "forgetting (nats per token)", "test accuracy (share of rows)",
        [.. Swept(report).Select(group => new ReportLine(
            group.Key.Name, [.. group.OrderBy(point => point.LearningRate).Select(point => new ReportPoint(point.Forgetting, point.Accuracy))]))]);

    // Where nothing was swept, everything is shown.
    private static List<IGrouping<StudyTuning, StudyPoint>> Swept(StudyReport report)
    {
        var all = report.Points.GroupBy(point => point.Tuning).ToList();
        var swept = all.Where(group => group.Count() > 1 || group.Key == StudyTuning.Full).ToList();
        return swept.Count > 0 ? swept : all;
    }

    private static ReportPicture Runs(StudyReport report, string title, string description, string axis, Func<StudyRun, double> of) => ReportPictures.Points(
        title, description, axis, "forgetting (nats per token)",
        [.. Groups.Select(group => new ReportLine(group.Name, [.. report.Runs.Where(run => group.IsMeant(run.Tuning)).Select(run => new ReportPoint(of(run), run.Forgetting))]))
            .Where(line => line.Points.Count > 0)]);

    private static ReportPicture? ByRank(StudyReport report)
    {
        var evidence = new StudyEvidence(report.Setup, report.Runs, report.Points, report.AtEqualAccuracy);
        List<ReportLine> lines =
        [
            .. new[] { ("α 2r", evidence.Lora), ("α 8", evidence.LoraOfAlpha8), ("only B", evidence.OnlyB) }.Where(pair => pair.Item2.Count > 0).Select(pair => new ReportLine(
                pair.Item1, [.. pair.Item2.Select(point => new ReportPoint(Math.Log2(point.Tuning.Rank!.Value), point.Intruders))])),
        ];
        return lines.Count == 0 ? null : ReportPictures.Lines(
            "Intruder dimensions over the rank",
            evidence.Full is { } full ? Invariant($"Each rank at its most accurate rate, means over seeds. Full fine-tuning has {full.Intruders:0.#}.") : "Each rank at its most accurate rate, means over seeds.",
            "log2 of LoRA's rank", "intruder dimensions (mean count)", lines);
    }

    private static ReportPicture Thresholds(StudyReport report)
    {
        var evidence = new StudyEvidence(report.Setup, report.Runs, report.Points, report.AtEqualAccuracy);
        var points = new[] { evidence.Full }.OfType<StudyPoint>().Concat(evidence.Lora).DefaultIfEmpty(report.Points[0]);
        return ReportPictures.Lines(
            "Intruder dimensions over the threshold", Invariant($"Among the {report.Setup.TopK[0]} leading singular vectors of each matrix; each way at its most accurate rate, means over seeds."),
            "ε (|cosine|)", "intruder dimensions (mean count)",
            [.. points.Select(point => new ReportLine(point.Tuning.Name, [.. report.Setup.Epsilon.Order().Select(epsilon => new ReportPoint(
                epsilon, evidence.RunsOf(point).Average(run => run.Counts.First(count => count.Epsilon == epsilon && count.TopK == report.Setup.TopK[0]).Intruders)))]))]);
    }

    private static ReportPicture Growth(StudyReport report) => ReportPictures.Lines(
        "Intruder dimensions while training", "After each epoch at a constant learning rate.", "epochs", "intruder dimensions (count)",
        [.. report.Runs.Where(run => run.Growth.Count > 0).Select(run => new ReportLine(
            run.Tuning.Name, [.. run.Growth.Select(snapshot => new ReportPoint(snapshot.Epochs, snapshot.Intruders))]))]);

    private static ReportPicture Repairs(StudyRun run, RepairCurve curve) => ReportPictures.Lines(
        Invariant($"Repairs of {run.Tuning.Name}, rate {run.LearningRate:G3}"), "Task accuracy against forgetting, one line a method, one point a strength: the upper left is best.",
        "forgetting (nats per token)", "test accuracy (share of rows)",
        [
            .. curve.Points.GroupBy(point => point.Which).Select(group => new ReportLine(
                RepairCurveDocument.Name(group.Key), [.. group.Select(point => new ReportPoint(point.Forgetting, point.Accuracy ?? double.NaN))])),
            .. run.Balance.Count == 0 ? Array.Empty<ReportLine>() : [new ReportLine(
                Balance, [new ReportPoint(run.Forgetting, run.Task.Accuracy), .. run.Balance.Select(point => new ReportPoint(point.Forgetting, point.Task.Accuracy))])],
        ]);

    // One of full fine-tuning, one of LoRA: the run with most intruders.
    private static IEnumerable<StudyRun> Shown(StudyReport report) => report.Runs.Where(run => run.Matrices.Count > 0)
        .GroupBy(run => run.Tuning.Method).Select(group => group.MaxBy(run => run.Intruders)!);

    private static ReportPicture Matrices(StudyRun run)
    {
        var layers = LayerGrid.Of(run.Matrices.Select(matrix => (matrix.Name, matrix.Intruders)));
        return ReportPictures.Grid(
            Invariant($"Intruder dimensions per matrix: {run.Tuning.Name}, rate {run.LearningRate:G3}, seed {run.Seed}"),
            string.Create(CultureInfo.InvariantCulture, $"{run.Intruders} in {run.Matrices.Count} matrices."), "layer", "linear map", layers.Layers, layers.Maps, layers.Counts, "F0",
            (0, Math.Max(1, run.Matrices.Max(matrix => matrix.Intruders))));
    }
}

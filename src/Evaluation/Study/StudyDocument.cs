using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>A study as a document.</summary>
internal static class StudyDocument
{
    public static ReportDocument Of(StudyReport report) => new(
        $"Fine-tuning {report.Setup.BaseName} in {report.Points.Select(point => point.Tuning).Distinct().Count()} ways",
        Summary(report),
        [
            new ReportSection("Claims", Claims(report)),
            new ReportSection("Pictures", [.. StudyPictures.Of(report)]),
            new ReportSection("Numbers", [.. Numbers(report)]),
            new ReportSection("How it was made", new ReportText(Setup(report))),
        ]);

    private static string Summary(StudyReport report)
    {
        var measured = report.Claims.Where(claim => claim.Verdict is not StudyVerdict.NotMeasurable).ToList();
        return Invariant($"{report.Runs.Count} trainings of {report.Setup.BaseName}. Of {report.Claims.Count} findings of arXiv 2410.21228, {measured.Count} could be measured here: ")
            + Invariant($"{measured.Count(claim => claim.Verdict is StudyVerdict.Agree)} came out alike, {measured.Count(claim => claim.Verdict is StudyVerdict.Disagree)} did not.");
    }

    private static ReportTable Claims(StudyReport report) => new(
        "Each finding of the paper and what came out here. The rules were written before the numbers were known.", ["finding", "where", "paper", "here", "rule", "verdict"],
        [.. report.Claims.Select(claim => (string[])[claim.Name, claim.Source, claim.Paper, claim.Ours, claim.Rule, Verdict(claim.Verdict)])]);

    /// <summary>A verdict in words.</summary>
    public static string Verdict(StudyVerdict verdict) => verdict switch
    {
        StudyVerdict.Agree => "agree",
        StudyVerdict.Disagree => "disagree",
        _ => "not measurable here",
    };

    private static IEnumerable<ReportPart> Numbers(StudyReport report)
    {
        yield return new ReportTable(
            "Means over seeds, ± standard error. Losses in nats; intruders in all matrices, energy their share of the leading squared singular values, ‖ΔW‖ of all matrices together.",
            ["way", "rate", "seeds", "accuracy", "log-loss", "forgetting", "intruders", "energy", "‖ΔW‖", "effective rank of ΔW"],
            [.. report.Points.Select(point => (string[])
            [
                point.Tuning.Name, Invariant($"{point.LearningRate:G3}"), ReportNumbers.Count(point.Runs), WithError(point.Accuracy, point.AccuracyError),
                ReportNumbers.Nats(point.LogLoss), WithError(point.Forgetting, point.ForgettingError), Invariant($"{point.Intruders:F1}"), ReportNumbers.Share(point.EnergyShare),
                ReportNumbers.General(point.DeltaFrobenius), ReportNumbers.General(point.EffectiveRank),
            ])]);
        if (report.AtEqualAccuracy.Count > 0)
            yield return new ReportTable(
                "Forgetting at the same task accuracy, nats per token; ± is the standard error of the paired difference over seeds.",
                ["way", "accuracy", "full", "this way", "difference", "seeds"],
                [.. report.AtEqualAccuracy.Select(comparison => (string[])
                [
                    comparison.Tuning.Name, ReportNumbers.Share(comparison.Accuracy), ReportNumbers.Nats(comparison.FullForgetting), ReportNumbers.Nats(comparison.Forgetting),
                    Invariant($"{comparison.Difference:+0.000;-0.000;0.000} ± {ReportNumbers.Nats(comparison.StandardError)}"), ReportNumbers.Count(comparison.Seeds),
                ])]);
        if (report.Correlations.Count > 0)
            yield return new ReportTable(
                "Spearman's rank correlation with forgetting over runs.", ["runs", "of", "ρ", "p", "number of runs"],
                [.. report.Correlations.Select(correlation => (string[])
                [
                    correlation.Over, correlation.Measure, ReportNumbers.Share(correlation.WithForgetting.Coefficient), ReportNumbers.General(correlation.WithForgetting.PValue),
                    ReportNumbers.Count(correlation.WithForgetting.Count),
                ])]);
        foreach (var run in report.Runs)
            if (run.Repair is { } curve) yield return Repairs(run, curve);
        if (report.Failures.Count > 0)
            yield return new ReportTable(
                "Trainings that came to nothing.", ["way", "rate", "seed", "reason"],
                [.. report.Failures.Select(failure => (string[])[failure.Tuning.Name, Invariant($"{failure.LearningRate:G3}"), Invariant($"{failure.Seed}"), failure.Reason])]);
    }

    private static ReportTable Repairs(StudyRun run, RepairCurve curve)
    {
        List<IReadOnlyList<string>> rows =
        [
            .. curve.AtEqualTask.Select(equal => (string[])
            [
                RepairCurveDocument.Name(equal.Which), ReportNumbers.Nats(equal.Forgetting), ReportNumbers.Share(equal.RelativeToUnscaled),
            ]),
        ];
        if (curve.UnscaledTask is { } task && EqualAccuracy.OfBalance(run, task.Accuracy - curve.AccuracyTolerance) is { } left)
            rows.Add([StudyPictures.Balance, ReportNumbers.Nats(left), ReportNumbers.Share(left / run.Forgetting)]);
        return new ReportTable(
            Invariant($"Repairs of {run.Tuning.Name}, rate {run.LearningRate:G3}, seed {run.Seed}, at an accuracy of at most {curve.AccuracyTolerance} below the untouched model's; forgetting in nats per token. {curve.Conclusion}"),
            ["method", "forgetting", "of untouched"], rows);
    }

    private static string Setup(StudyReport report)
    {
        var setup = report.Setup;
        return Invariant($"{setup.TrainingRows} rows of {setup.Classes} classes to learn from, {setup.Epochs} epochs in steps of {setup.BatchSize} rows, at most {setup.MaxTokens} tokens a row; ")
            + Invariant($"{setup.TestRows} rows to test; seeds {string.Join(", ", setup.Seeds)}. Forgetting is the loss on retention text ({string.Join(", ", setup.Corpora)}) less the base's, ")
            + (setup.Measure is RetentionMeasure.Exact ? "every token hidden alone. " : Invariant($"up to {setup.Positions} tokens hidden, each alone, the same for all runs. "))
            + Invariant($"Intruders: |cosine| below {setup.Epsilon[0]} with every singular vector of the base's matrix, among the {setup.TopK[0]} leading ones. Base content {setup.BaseContentHash[..12]}….");
    }

    private static string WithError(double value, double error) => double.IsFinite(error) ? Invariant($"{value:F3} ± {error:F3}") : ReportNumbers.Nats(value);
}

using System.Text.Json;
using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>A repair curve as a document.</summary>
internal static class RepairCurveDocument
{
    private const string Definitions =
        "Scale 1 leaves the model as it is and 0 removes what the method scales. Top and all scale intruder dimensions (arXiv 2410.21228); neighbour and uniform are "
        + "controls; uniform-global shrinks every change by one factor. Balance keeps of each change what the task needs; of it the scale is the strength, and 0 leaves "
        + "the model as it is. Share of untouched is the forgetting divided by the untouched model's. Methods are compared at equal accuracy, by linear interpolation "
        + "between measured points.";

    public static ReportDocument Of(RepairCurve curve) => new(
        $"Repairs of what {curve.Unscaled.BaseName} forgot",
        Summary(curve),
        [
            new ReportSection("Pictures", [.. Pictures(curve)]),
            new ReportSection("Numbers", [Points(curve), .. AtEqualTask(curve), ForgettingDocument.Corpora(curve.Unscaled)]),
            new ReportSection("How to read this", new ReportText(Definitions), new ReportText($"{ForgettingDocument.Positions(curve.Unscaled)} {ForgettingDocument.Definitions}")),
        ]);

    /// <summary>What a method is called where it is read: uniform-global.</summary>
    public static string Name(RepairMethod method) => JsonNamingPolicy.KebabCaseLower.ConvertName(method.ToString());

    private static string Summary(RepairCurve curve)
    {
        var forgetting = Invariant($"As it is, the model forgot {curve.Unscaled.Forgetting:F4} ± {curve.Unscaled.StandardError:F4} nats per token");
        var task = curve.UnscaledTask is { } metric ? Invariant($" and has an accuracy of {metric.Accuracy:F4}") : "";
        return $"{forgetting}{task}. {curve.Conclusion}";
    }

    private static IEnumerable<ReportPart> Pictures(RepairCurve curve)
    {
        if (curve.UnscaledTask is { } task)
            yield return ReportPictures.Lines(
                "Accuracy against forgetting", "One line a method, through its scales or strengths; every line passes through the model as it is. Better is up and to the left.",
                "forgetting (nats per token)", "test accuracy (share of rows)",
                LinesOf(curve, point => new ReportPoint(point.Forgetting, point.Accuracy!.Value), new ReportPoint(curve.Unscaled.Forgetting, task.Accuracy)));
        if (curve.Points.Any(point => point.Which is not RepairMethod.Balance))
            yield return ReportPictures.Lines(
                "Forgetting over the scale", "One line a method; 1 is the model as it is. Balance has strengths, not scales.", "scale (λ)", "forgetting (nats per token)",
                LinesOf(curve with { Points = [.. curve.Points.Where(point => point.Which is not RepairMethod.Balance)] },
                    point => new ReportPoint(point.Scale, point.Forgetting), new ReportPoint(1, curve.Unscaled.Forgetting)));
    }

    // Balance goes on from the untouched model, the others come to it.
    private static List<ReportLine> LinesOf(RepairCurve curve, Func<RepairPoint, ReportPoint> place, ReportPoint untouched) =>
    [
        .. curve.Points.GroupBy(point => point.Which).Select(method => new ReportLine(
            Name(method.Key),
            method.Key is RepairMethod.Balance ? [untouched, .. method.Where(point => point.Scale > 0).Select(place)]
                : [.. method.Where(point => point.Scale < 1).Select(place), untouched, .. method.Where(point => point.Scale > 1).Select(place)])),
    ];

    private static ReportTable Points(RepairCurve curve) => new(
        Invariant($"Every method at every scale or strength; forgetting in nats per token. Intruder dimensions: {curve.IntruderCount}."),
        ["method", "scale", "forgetting", "standard error", "share of untouched", "accuracy", "log-loss"],
        [.. curve.Points.Select(point => (string[])
        [
            Name(point.Which), ReportNumbers.General(point.Scale), ReportNumbers.Forgetting(point.Forgetting), ReportNumbers.Forgetting(point.StandardError),
            ReportNumbers.Share(point.RelativeToUnscaled), ReportNumbers.Share(point.Accuracy ?? double.NaN), ReportNumbers.Nats(point.LogLoss ?? double.NaN),
        ])]);

    private static IEnumerable<ReportPart> AtEqualTask(RepairCurve curve)
    {
        if (curve.AtEqualTask.Count > 0)
            yield return new ReportTable(
                Invariant($"At equal accuracy, {curve.AccuracyTolerance} below the untouched model's, by interpolation."),
                ["method", "scale", "forgetting", "share of untouched"],
                [.. curve.AtEqualTask.Select(equal => (string[])
                [
                    Name(equal.Which), ReportNumbers.General(equal.Scale), ReportNumbers.Forgetting(equal.Forgetting), ReportNumbers.Share(equal.RelativeToUnscaled),
                ])]);
    }
}

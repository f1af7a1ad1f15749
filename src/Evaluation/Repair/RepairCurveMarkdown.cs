using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MLNetLoRA.Evaluation;

/// <summary>A repair curve as Markdown.</summary>
internal static class RepairCurveMarkdown
{
    public static string Of(RepairCurve curve)
    {
        var text = new StringBuilder("# Repair curve\n\n");
        text.Append(Invariant($"Untouched: forgetting {curve.Unscaled.Forgetting:F4} ± {curve.Unscaled.StandardError:F4} nats per token"));
        if (curve.UnscaledTask is { } task) text.Append(Invariant($", accuracy {task.Accuracy:F4}, log-loss {task.LogLoss:F4}"));
        text.Append(Invariant($"; {curve.IntruderCount} intruder dimensions.\n\n{curve.Conclusion}\n\n"));
        text.Append("| method | scale | forgetting | of untouched | accuracy | log-loss |\n|---|---:|---:|---:|---:|---:|\n");
        foreach (var point in curve.Points)
            text.Append(Invariant(
                $"| {Name(point.Which)} | {point.Scale:G4} | {point.Forgetting:F4} ± {point.StandardError:F4} | {Share(point.RelativeToUnscaled)} | {point.Accuracy:F4} | {point.LogLoss:F4} |\n"));
        if (curve.AtEqualTask.Count == 0) return text.ToString();
        text.Append(Invariant($"\nAt equal accuracy, {curve.AccuracyTolerance} below the untouched model's, by interpolation:\n\n"));
        text.Append("| method | scale | forgetting | of untouched |\n|---|---:|---:|---:|\n");
        foreach (var equal in curve.AtEqualTask)
            text.Append(Invariant($"| {Name(equal.Which)} | {equal.Scale:F3} | {equal.Forgetting:F4} | {Share(equal.RelativeToUnscaled)} |\n"));
        return text.ToString();
    }

    public static string Name(RepairMethod method) => JsonNamingPolicy.KebabCaseLower.ConvertName(method.ToString());

    private static string Share(double share) => double.IsFinite(share) ? Invariant($"{share:P1}") : "";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

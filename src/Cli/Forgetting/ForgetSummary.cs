namespace MLNetLoRA.Cli.Forgetting;

/// <summary>What <c>forget --json</c> writes.</summary>
/// <param name="Base">What the base is called.</param>
/// <param name="Corpora">Each corpus, in the order typed; losses in nats per token.</param>
/// <param name="Measure">"sampled" or "exact".</param>
/// <param name="Positions">How many tokens were hidden.</param>
/// <param name="MaxTokens">The longest window.</param>
/// <param name="Seed">What decided which tokens were drawn.</param>
/// <param name="BaseLoss">Weighted mean loss of the base.</param>
/// <param name="TunedLoss">Weighted mean loss of the fine-tuned model.</param>
/// <param name="Forgetting">Their difference.</param>
/// <param name="StandardError">Of the difference.</param>
/// <param name="Interval">95 % confidence interval of the difference.</param>
/// <param name="Retied">With the tuned word embedding as decoder; null where there is no such reading.</param>
/// <param name="Test">The model as it is on the test rows; null without.</param>
/// <param name="Scales">Each method at each scale or strength; empty without --scales, --task and --test.</param>
/// <param name="AtEqualTask">The methods at equal accuracy; empty without test rows.</param>
/// <param name="Recommended">The measured point of least forgetting within the tolerance; null without test rows.</param>
/// <param name="Conclusion">What the comparison says; null without --scales.</param>
/// <param name="Device">Where it was computed.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record ForgetSummary(
    string Base, IReadOnlyList<CorpusForgetting> Corpora, string Measure, int Positions, int MaxTokens, int Seed, double BaseLoss, double TunedLoss,
    double Forgetting, double StandardError, ConfidenceInterval Interval, LossChange? Retied, TaskMetric? Test, IReadOnlyList<ForgetPoint> Scales,
    IReadOnlyList<ForgetAtEqualTask> AtEqualTask, ForgetChoice? Recommended, string? Conclusion, string Device, double Seconds)
{
    public static ForgetSummary Of(ForgettingReport report, RepairCurve? curve, string device) => new(
        report.BaseName, report.Corpora, report.Measure.ToString().ToLowerInvariant(), report.Positions, report.MaxTokens, report.Seed, report.BaseLoss,
        report.TunedLoss, report.Forgetting, report.StandardError, report.Interval, report.Retied, curve?.UnscaledTask,
        [.. (curve?.Points ?? []).Select(ForgetPoint.Of)],
        [.. (curve?.AtEqualTask ?? []).Select(equal => new ForgetAtEqualTask(ForgetPoint.NameOf(equal.Which), equal.Scale, equal.Forgetting, equal.RelativeToUnscaled))],
        curve?.Recommended is { } choice ? new ForgetChoice(ForgetPoint.NameOf(choice.Which), choice.Scale) : null, curve?.Conclusion, device,
        curve?.Seconds ?? report.Seconds);
}

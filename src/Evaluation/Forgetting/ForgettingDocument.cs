using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>A report of forgetting as a document.</summary>
internal static class ForgettingDocument
{
    /// <summary>What the numbers are.</summary>
    public const string Definitions =
        "Losses are means over hidden tokens of the negative logarithm of the probability that the model gives to what stood there, in nats per token, read with the "
        + "base's language-model head; each token is hidden alone (arXiv 1910.14659). Forgetting is the loss after fine-tuning less that of the base, over the same "
        + "tokens; its standard error is that of the mean of the paired differences, with finite-population correction. Totals are the corpora's, by weight.";

    public static ReportDocument Of(ForgettingReport report) => new(
        $"What {report.BaseName} forgot",
        Summary(report),
        [
            new ReportSection("Numbers", [Corpora(report), .. Retied(report)]),
            new ReportSection("How to read this", new ReportText($"{Positions(report)} {Definitions}")),
        ]);

    /// <summary>Each corpus and the total.</summary>
    public static ReportTable Corpora(ForgettingReport report) => new(
        "Each corpus before and after fine-tuning. Losses and forgetting in nats per token, with the 95 % interval of the forgetting.",
        ["corpus", "weight", "tokens", "hidden", "base loss", "tuned loss", "forgetting", "standard error", "from", "to"],
        [
            .. report.Corpora.Select(corpus => Row(
                corpus.Name, corpus.Weight, corpus.Tokens, corpus.Positions, corpus.BaseLoss, corpus.TunedLoss, corpus.Forgetting, corpus.StandardError, corpus.Interval)),
            Row(
                "total", 1, report.Corpora.Sum(corpus => corpus.Tokens), report.Positions, report.BaseLoss, report.TunedLoss, report.Forgetting,
                report.StandardError, report.Interval),
        ]);

    /// <summary>Which tokens were hidden, in a sentence.</summary>
    public static string Positions(ForgettingReport report) => report.Measure is RetentionMeasure.Exact
        ? Invariant($"Each of {report.Positions} tokens was hidden, in windows of up to {report.MaxTokens}.")
        : Invariant($"{report.Positions} tokens were drawn with seed {report.Seed}, in windows of up to {report.MaxTokens}.");

    private static string Summary(ForgettingReport report)
    {
        var (lower, upper) = (report.Interval.Lower, report.Interval.Upper);
        var change = Invariant($"The loss on retention text went from {report.BaseLoss:F4} to {report.TunedLoss:F4} nats per token by fine-tuning");
        var size = Invariant($"{report.Forgetting:F4} ± {report.StandardError:F4}, 95 % interval {lower:F4} to {upper:F4}");
        return (lower, upper) switch
        {
            ( > 0, _) => $"{change}: the model forgot ({size}).",
            (_, < 0) => $"{change}: the model forgot nothing, it gained ({size}).",
            (0, 0) => $"{change}: nothing changed.",
            _ => $"{change}, which cannot be told from nothing ({size}).",
        };
    }

    private static IEnumerable<ReportPart> Retied(ForgettingReport report)
    {
        if (report.Retied is { } retied)
            yield return new ReportText(Invariant(
                $"With the tuned word embedding as decoder the loss is {retied.TunedLoss:F4} and the forgetting {retied.Forgetting:F4} ± {retied.StandardError:F4}."));
    }

    private static string[] Row(
        string name, double weight, int tokens, int hidden, double before, double after, double forgetting, double error, ConfidenceInterval interval) =>
    [
        name, ReportNumbers.Share(weight), ReportNumbers.Count(tokens), ReportNumbers.Count(hidden), ReportNumbers.Forgetting(before), ReportNumbers.Forgetting(after),
        ReportNumbers.Forgetting(forgetting), ReportNumbers.Forgetting(error), ReportNumbers.Forgetting(interval.Lower), ReportNumbers.Forgetting(interval.Upper),
    ];
}

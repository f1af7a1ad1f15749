using System.Globalization;
using System.Text;

namespace MLNetLoRA.Evaluation;

/// <summary>A report of forgetting as Markdown.</summary>
internal static class ForgettingMarkdown
{
    public static string Of(ForgettingReport report)
    {
        var text = new StringBuilder();
        text.Append("# Forgetting\n\n");
        text.Append(Invariant($"Base: {Escaped(report.BaseName)}. {Words(report)} Losses in nats per token; ± is the standard error of the paired difference.\n\n"));
        text.Append("| corpus | weight | tokens | hidden | base loss | tuned loss | forgetting | 95 % interval |\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
        foreach (var corpus in report.Corpora)
            Row(Escaped(corpus.Name), corpus.Weight, corpus.Tokens, corpus.Positions, corpus.BaseLoss, corpus.TunedLoss, corpus.Forgetting, corpus.StandardError, corpus.Interval);
        Row("**total**", 1, report.Corpora.Sum(corpus => corpus.Tokens), report.Positions, report.BaseLoss, report.TunedLoss, report.Forgetting, report.StandardError, report.Interval);
        if (report.Retied is { } retied)
            text.Append(Invariant($"\nWith the tuned word embedding as decoder: loss {retied.TunedLoss:F4}, forgetting {retied.Forgetting:F4} ± {retied.StandardError:F4}.\n"));
        return text.ToString();

        void Row(string name, double weight, int tokens, int hidden, double before, double after, double forgetting, double error, ConfidenceInterval interval) =>
            text.Append(Invariant(
                $"| {name} | {weight:F3} | {tokens} | {hidden} | {before:F4} | {after:F4} | {forgetting:F4} ± {error:F4} | {interval.Lower:F4} to {interval.Upper:F4} |\n"));
    }

    private static string Words(ForgettingReport report) => report.Measure is RetentionMeasure.Exact
        ? Invariant($"Each of the {report.Positions} tokens hidden alone, in windows of up to {report.MaxTokens}.")
        : Invariant($"{report.Positions} tokens drawn with seed {report.Seed}, each hidden alone, in windows of up to {report.MaxTokens}.");

    // A name may hold what would end a cell.
    private static string Escaped(string name) => name.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

using Spectre.Console;

namespace MLNetLoRA.Cli.Forgetting;

/// <summary>Forgetting for the reader at the terminal: the corpora and their total.</summary>
internal static class ForgetTable
{
    public static Table Of(ForgetSummary summary)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("Corpus");
        foreach (var title in (string[])["Weight", "Tokens", "Hidden", "Base loss", "Tuned loss", "Forgetting", "Standard error", "95 % interval"])
            table.AddColumn(new TableColumn(new Text(title)).RightAligned());
        foreach (var corpus in summary.Corpora)
            Add(corpus.Name, corpus.Weight, corpus.Tokens, corpus.Positions, corpus.BaseLoss, corpus.TunedLoss, corpus.Forgetting, corpus.StandardError, corpus.Interval);
        if (summary.Corpora.Count > 1)
            Add("Total", 1, summary.Corpora.Sum(corpus => corpus.Tokens), summary.Positions, summary.BaseLoss, summary.TunedLoss, summary.Forgetting, summary.StandardError, summary.Interval);
        return table.Caption(Markup.Escape(Caption(summary)));

        void Add(string name, double weight, int tokens, int hidden, double before, double after, double forgetting, double error, ConfidenceInterval interval)
        {
            string[] cells =
            [
                name, $"{weight:F3}", $"{tokens:N0}", $"{hidden:N0}", $"{before:F4}", $"{after:F4}", $"{forgetting:F4}", $"{error:F4}",
                $"{interval.Lower:F4} to {interval.Upper:F4}",
            ];
            table.AddRow(cells.Select(cell => new Text(cell)));
        }
    }

    private static string Caption(ForgetSummary summary)
    {
        var caption = $"Nats per token; each hidden token alone ({summary.Measure}), windows of up to {summary.MaxTokens} tokens. {summary.Seconds:F1} s on {summary.Device}.";
        if (summary.Retied is { } retied) caption += $" With the tuned embedding as decoder: forgetting {retied.Forgetting:F4} ± {retied.StandardError:F4}.";
        return caption;
    }
}

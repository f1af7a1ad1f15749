using Spectre.Console;

namespace MLNetLoRA.Cli.Forgetting;

/// <summary>Repairs for the reader at the terminal: every method at every scale.</summary>
internal static class RepairTable
{
    public static Table Of(ForgetSummary summary)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("Method");
        foreach (var title in (string[])["Scale", "Forgetting", "Of untouched", "Accuracy", "Log-loss"]) table.AddColumn(new TableColumn(new Text(title)).RightAligned());
        foreach (var point in summary.Scales)
        {
            string[] cells =
            [
                point.Which, $"{point.Scale:G4}", $"{point.Forgetting:F4} ± {point.StandardError:F4}",
                double.IsFinite(point.RelativeToUnscaled) ? $"{point.RelativeToUnscaled:P1}" : "", $"{point.Accuracy:F4}", $"{point.LogLoss:F4}",
            ];
            table.AddRow(cells.Select(cell => new Text(cell)));
        }
        return table;
    }
}

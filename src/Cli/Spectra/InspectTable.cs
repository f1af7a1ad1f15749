using Spectre.Console;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>An inspection for the reader at the terminal: the matrices with the most intruders, and the totals.</summary>
internal static class InspectTable
{
    private const int MostRows = 10;

    public static Table Of(InspectSummary summary)
    {
        var table = new Table().Border(TableBorder.Simple)
            .AddColumn("Matrix").AddColumn(Right("Shape")).AddColumn(Right("Intruders")).AddColumn(Right("Energy"))
            .AddColumn(Right("Margin")).AddColumn(Right("‖ΔW‖")).AddColumn(Right("Rank"));
        var ordered = summary.Matrices.OrderByDescending(matrix => matrix.Intruders.Count).ThenByDescending(matrix => matrix.IntruderEnergyShare).ToList();
        foreach (var matrix in ordered.Take(MostRows))
            Add(matrix.Name, $"{matrix.Rows} x {matrix.Columns}", $"{matrix.Intruders.Count}", $"{matrix.IntruderEnergyShare:P1}", $"{matrix.Margin:F3}",
                $"{matrix.DeltaFrobenius:G4}", $"{matrix.EffectiveRank:F1}");
        if (ordered.Count > MostRows) Add($"and {ordered.Count - MostRows} more", "", $"{ordered.Skip(MostRows).Sum(matrix => matrix.Intruders.Count)}", "", "", "", "");
        var totals = summary.Totals;
        Add($"{totals.Matrices} matrices", "", $"{totals.Intruders}", "", "", $"{totals.DeltaFrobenius:G4}", "");
        return table.Caption(Caption(summary));

        void Add(params string[] cells) => table.AddRow(cells.Select(cell => new Text(cell)));
    }

    private static string Caption(InspectSummary summary)
    {
        var counts = string.Join(", ", summary.Totals.ByEpsilon.Select(pair => $"{pair.Value} at {pair.Key}"));
        var caption = $"Intruders by epsilon, among the first {summary.Settings.TopK[0]}: {counts}. {summary.Totals.Seconds:F1} s on {summary.Settings.Device}.";
        if (summary.Totals.IllDefined > 0) caption += $" {summary.Totals.IllDefined} vectors cannot be told: nearly equal singular values.";
        return Markup.Escape(caption);
    }

    private static TableColumn Right(string title) => new TableColumn(new Text(title)).RightAligned();
}

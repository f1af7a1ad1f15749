using Spectre.Console;

namespace MLNetLoRA.Cli.Training;

/// <summary>A training run for the reader at the terminal: names and numbers, a line each.</summary>
internal static class SummaryTable
{
    public static Table Of<TTest>(TrainingSummary<TTest> summary, IEnumerable<(string Name, string Value)> test)
    {
        var rows = $"{summary.Rows.Train:N0}";
        if (summary.Rows.Validation is > 0 and var validation) rows += $", {validation:N0} to validate";
        if (summary.Rows.Test is > 0 and var tested) rows += $", {tested:N0} to test";

        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("");
        Add("Method", $"{summary.Method} on {summary.Device}");
        Add("Rows", rows);
        Add("Parameters", $"{summary.TrainableParameters:N0} trainable of {summary.TotalParameters:N0}");
        Add("Epochs", $"{summary.Epochs.Count}, the last with training loss {summary.Epochs[^1].TrainLoss:F4}");
        if (summary.Epochs[^1].ValidationLoss is { } loss) Add("Validation loss", $"{loss:F4}");
        if (summary.Epochs.Max(epoch => epoch.ValidationAccuracy) is { } accuracy) Add("Best validation accuracy", $"{accuracy:F4}");
        foreach (var (name, value) in test) Add(name, value);
        Add("Training time", $"{summary.TrainingSeconds:F1} s, {summary.TrainingExamplesPerSecond:F0} examples per second");
        return table;

        void Add(string name, string value) => table.AddRow(new Text(name), new Text(value));
    }
}

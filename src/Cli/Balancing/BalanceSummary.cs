using Spectre.Console;

namespace MLNetLoRA.Cli.Balancing;

/// <summary>What <c>rescale --which balance --json</c> writes.</summary>
/// <param name="Matrices">In the model's order.</param>
/// <param name="Strength">μ.</param>
/// <param name="Which">"balance".</param>
/// <param name="Form">"adapter" or "checkpoint".</param>
/// <param name="TaskTokens">Tokens of task rows that were looked at.</param>
/// <param name="RetentionTokens">Tokens of retention texts that were looked at.</param>
/// <param name="Seconds">Reading, computing and writing.</param>
/// <param name="Skipped">What stayed as it is, by checkpoint key, with the reason.</param>
internal sealed record BalanceSummary(
    IReadOnlyList<BalancedMatrix> Matrices, double Strength, string Which, string Form, long TaskTokens, long RetentionTokens, double Seconds,
    IReadOnlyDictionary<string, string> Skipped)
{
    public Table ToTable()
    {
        var changed = Matrices.Where(matrix => matrix.Distance > 0).ToList();
        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("");
        Add("Balanced", $"strength {Strength}: {changed.Count} of {Matrices.Count} matrices");
        Add("Looked at", $"{TaskTokens} tokens of the task, {RetentionTokens} of the texts to be kept");
        Add("Change", $"norm {Length(matrix => matrix.DeltaFrobenius):G5} over all matrices, moved by {Length(matrix => matrix.Distance):G5}");
        if (changed.Count > 0)
        {
            Add("On the task", $"outputs move by {changed.Average(matrix => matrix.TaskShift):P0} of what fine-tuning did to them");
            Add("On the texts", $"{changed.Average(matrix => matrix.RetentionLeft):P0} of what fine-tuning did to outputs is left");
        }
        Add("Largest rank", $"{Matrices.Max(matrix => matrix.Rank)}");
        if (Length(matrix => matrix.TruncationError) is > 0 and var cut) Add("Cut off", $"norm {cut:G5}");
        Add("Written", Form);
        return table;

        void Add(string name, string value) => table.AddRow(new Text(name), new Text(value));
    }

    private double Length(Func<BalancedMatrix, double> part) => Math.Sqrt(Matrices.Sum(matrix => part(matrix) * part(matrix)));
}

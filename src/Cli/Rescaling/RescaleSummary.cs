using Spectre.Console;

namespace MLNetLoRA.Cli.Rescaling;

/// <summary>What <c>rescale --json</c> writes.</summary>
/// <param name="Matrices">In the model's order.</param>
/// <param name="Scale">λ.</param>
/// <param name="Which">What was rescaled.</param>
/// <param name="Form">"adapter" or "checkpoint".</param>
/// <param name="Seconds">Reading, computing and writing.</param>
/// <param name="Skipped">What stayed as it is, by checkpoint key, with the reason.</param>
internal sealed record RescaleSummary(
    IReadOnlyList<RescaledMatrix> Matrices, double Scale, string Which, string Form, double Seconds, IReadOnlyDictionary<string, string> Skipped)
{
    public Table ToTable()
    {
        var changed = Matrices.Count(matrix => matrix.Distance > 0);
        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("");
        Add("Rescaled", $"{Which}, factor {Scale}: {changed} of {Matrices.Count} matrices");
        Add("Change", $"norm {Length(matrix => matrix.DeltaFrobenius):G5} over all matrices, moved by {Length(matrix => matrix.Distance):G5}");
        Add("Largest rank", $"{Matrices.Max(matrix => matrix.Rank)}");
        if (Length(matrix => matrix.TruncationError) is > 0 and var cut) Add("Cut off", $"norm {cut:G5}");
        if (Matrices.Count(matrix => !matrix.IsMeasurable) is > 0 and var without) Add("Without a neighbour", $"{without} matrices stay as they are");
        if (Matrices.Count(matrix => matrix.IsClipped) is > 0 and var clipped) Add("Clipped", $"{clipped} matrices fell back to the base");
        Add("Written", Form);
        return table;

        void Add(string name, string value) => table.AddRow(new Text(name), new Text(value));
    }

    private double Length(Func<RescaledMatrix, double> part) => Math.Sqrt(Matrices.Sum(matrix => part(matrix) * part(matrix)));
}

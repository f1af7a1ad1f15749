using Spectre.Console;

namespace MLNetLoRA.Cli.Forwarding;

/// <summary>What <c>forward --json</c> writes.</summary>
/// <param name="Shapes">Shapes of the tensors in the output file.</param>
/// <param name="MeanLoss">Mean cross-entropy over the labels, in nats; null when the inputs have none.</param>
internal sealed record ForwardSummary(ForwardShapes Shapes, double? MeanLoss)
{
    public Table ToTable()
    {
        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("");
        table.AddRow(new Text("logits"), new Text(Join(Shapes.Logits)));
        table.AddRow(new Text("last_hidden_state"), new Text(Join(Shapes.LastHiddenState)));
        if (MeanLoss is { } loss) table.AddRow(new Text("mean loss"), new Text($"{loss:F6}"));
        return table;
    }

    private static string Join(long[] shape) => $"({string.Join(", ", shape)})";
}

/// <summary>Of a masked language model (rows, tokens, vocabulary), of a classifier (rows, classes); hidden (rows, tokens, hidden).</summary>
internal sealed record ForwardShapes(long[] Logits, long[] LastHiddenState);

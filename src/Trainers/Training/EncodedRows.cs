using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>Rows as the network reads them, with their classes.</summary>
/// <param name="Texts">Token ids, one entry a row.</param>
/// <param name="Classes">0-based classes, one a row.</param>
/// <param name="EmptyRows">Numbers of the rows that hold no text; null when there are none.</param>
internal sealed record EncodedRows(IReadOnlyList<EncodedText> Texts, IReadOnlyList<int> Classes, IReadOnlySet<int>? EmptyRows = null)
{
    public static EncodedRows None { get; } = new([], []);

    public int Count => Texts.Count;

    /// <summary>How many rows were cut to the token limit.</summary>
    public int TruncatedCount => Texts.Count(text => text.WasTruncated);

    /// <summary>How many rows hold no text.</summary>
    public int EmptyCount => EmptyRows?.Count ?? 0;

    public EncodedRows Select(IEnumerable<int> rows)
    {
        var chosen = rows.ToArray();
        return new(
            [.. chosen.Select(row => Texts[row])],
            [.. chosen.Select(row => Classes[row])],
            chosen.Index().Where(row => EmptyRows?.Contains(row.Item) ?? false).Select(row => row.Index).ToHashSet());
    }

    /// <summary>Splits off a share of each class, at least one row of every class that has two.</summary>
    /// <param name="share">Above 0 and below 1: how much goes to the second part.</param>
    /// <param name="order">All row numbers in a random order, which decides who goes.</param>
    public (EncodedRows Kept, EncodedRows HeldOut) SplitStratified(double share, int[] order)
    {
        var heldOut = new HashSet<int>();
        foreach (var rows in order.GroupBy(row => Classes[row]))
        {
            var available = rows.ToArray();
            var count = Math.Clamp((int)Math.Round(share * available.Length), Math.Min(1, available.Length - 1), available.Length - 1);
            heldOut.UnionWith(available.Take(count));
        }
        return (Select(Enumerable.Range(0, Count).Where(row => !heldOut.Contains(row))), Select(heldOut.Order()));
    }
}

namespace MLNetLoRA.Modeling;

/// <summary>Orders names as a reader does: layer 2 before layer 10.</summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static NaturalOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        var (left, right) = ((x ?? "").Split('.'), (y ?? "").Split('.'));
        foreach (var (one, other) in left.Zip(right))
        {
            var order = uint.TryParse(one, out var first) && uint.TryParse(other, out var second)
                ? first.CompareTo(second)
                : string.CompareOrdinal(one, other);
            if (order != 0) return order;
        }
        return left.Length != right.Length ? left.Length.CompareTo(right.Length) : string.CompareOrdinal(x, y);
    }
}

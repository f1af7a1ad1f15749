namespace MLNetLoRA.Trainers;

/// <summary>Whether fine-tuning begins with the classification head that the checkpoint brings: it does when both name the same classes.</summary>
/// <param name="Rows">Which row of the checkpoint's head stands for each class of the label column; null for a head drawn at random.</param>
/// <param name="Message">What the log says of it; null where the checkpoint brings no head.</param>
internal sealed record StartingHead(IReadOnlyList<int>? Rows, string? Message)
{
    private const int MostNames = 5;
    private const int LongestName = 40;

    /// <summary>No say in the matter: the checkpoint brings no head, or another model's goes before it.</summary>
    public static StartingHead None { get; } = new(null, null);

    public static StartingHead Choose(PretrainedModel model, LabelValues labels)
    {
        if (model.Contents.ClassificationHead is not { } head) return None;
        string[] classes = [.. Enumerable.Range(0, labels.Count).Select(labels.Name)];
        if (head.LabelNames is { } names && Match(names, classes) is { } rows)
            return new StartingHead(rows, $"The head of {model.Name} knows the same {classes.Length} classes; training starts from it.");

        var theirs = head.LabelNames is { } known ? $"{head.ClassCount} classes ({List(known)})" : $"{head.ClassCount} classes without names";
        return new StartingHead(
            null, $"The head of {model.Name} tells apart {theirs}, the label column {classes.Length} ({List(classes)}); training starts from a new head.");
    }

    // Both must be sets, and the same one: which row a class takes is then beyond doubt.
    private static int[]? Match(IReadOnlyList<string> names, string[] classes)
    {
        if (names.Count != classes.Length || classes.Distinct(StringComparer.Ordinal).Count() != classes.Length) return null;
        var rows = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var row = 0; row < names.Count; row++)
            if (!rows.TryAdd(names[row], row)) return null;
        return classes.All(rows.ContainsKey) ? [.. classes.Select(name => rows[name])] : null;
    }

    private static string List(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(MostNames).Select(Quote)) + (names.Count > MostNames ? ", …" : "");

    // Names come from files: on one line, and not for ever.
    private static string Quote(string name)
    {
        var shown = name.Length <= LongestName ? name : name[..LongestName] + "…";
        return $"'{string.Concat(shown.Select(letter => char.IsControl(letter) ? '?' : letter))}'";
    }
}

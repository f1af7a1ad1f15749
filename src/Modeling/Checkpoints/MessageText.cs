namespace MLNetLoRA.Modeling;

/// <summary>How names that come from files appear in messages: on one line, of bounded length.</summary>
internal static class MessageText
{
    private const int LongestName = 120;
    private const int MostNames = 5;

    /// <summary>The name in single quotes; control characters become '?', a long name is cut.</summary>
    public static string Quote(string name)
    {
        var shown = name.Length <= LongestName ? name : name[..LongestName] + "…";
        return $"'{string.Concat(shown.Select(letter => char.IsControl(letter) ? '?' : letter))}'";
    }

    /// <summary>The first few phrases, and how many more there are.</summary>
    public static string Some(IReadOnlyCollection<string> phrases) =>
        string.Join("; ", phrases.Take(MostNames)) + (phrases.Count <= MostNames ? "" : $"; and {phrases.Count - MostNames} more");

    /// <summary>The first few names, quoted, and how many more there are.</summary>
    public static string List(IReadOnlyCollection<string> names)
    {
        var shown = string.Join(", ", names.Take(MostNames).Select(Quote));
        return names.Count <= MostNames ? shown : $"{shown} and {names.Count - MostNames} more";
    }
}

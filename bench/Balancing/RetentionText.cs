namespace MLNetLoRA.Bench.Balancing;

/// <summary>Retention text in two halves, paragraph by paragraph: what the repair may see, and what forgetting is measured on.</summary>
internal sealed record RetentionText(IReadOnlyList<string> Fitted, IReadOnlyList<string> Measured)
{
    // Headings and lists of a word or two have nothing to guess.
    private const int FewestCharacters = 40;

    public static RetentionText Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: no such file. --samples is the folder that holds it.", path);
        var paragraphs = File.ReadLines(path).Where(line => line.Length >= FewestCharacters).ToList();
        return new RetentionText([.. paragraphs.Where((_, n) => n % 2 == 0)], [.. paragraphs.Where((_, n) => n % 2 == 1)]);
    }
}

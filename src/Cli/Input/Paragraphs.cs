namespace MLNetLoRA.Cli.Input;

/// <summary>Reads running text: one paragraph a line, or one a row of a table.</summary>
internal static class Paragraphs
{
    // A line this long is no paragraph but a file without line ends: it is taken in parts, so that it need not fit in memory as one string.
    private const int LongestParagraph = 1 << 20;

    /// <summary>Paragraphs in reading order; an empty string ends a document.</summary>
    /// <remarks>A line of plain text longer than 1 MiB becomes several paragraphs, cut at white space.</remarks>
    /// <param name="path">A plain text file in which a blank line ends a document; with a column, a table in which each row is one.</param>
    /// <param name="column">The column with the text; null for plain text.</param>
    /// <param name="delimiter">What separates a table's fields; null goes by the extension.</param>
    /// <param name="limit">How many lines or rows to read; null for all.</param>
    /// <exception cref="BadInputException">The file cannot be read as that, or holds no text.</exception>
    public static IReadOnlyList<string> Read(string path, string? column, char? delimiter, int? limit = null)
    {
        var paragraphs = column is null ? ReadLines(path, limit) : ReadColumn(path, column, delimiter, limit);
        return paragraphs.Exists(paragraph => paragraph.Length > 0)
            ? paragraphs
            : throw new BadInputException($"{path}: there is no text, only blank {(column is null ? "lines" : $"values in column '{column}'")}.");
    }

    private static List<string> ReadLines(string path, int? limit)
    {
        using var lines = TextLines.Open(path);
        var paragraphs = new List<string>();
        var lineOfLast = 0;
        while ((limit is null || lines.Number < limit || lines.IsWithinLine) && lines.NextPart(LongestParagraph) is { } part)
        {
            var paragraph = part.Trim();
            // What is blank within a long line ends no document.
            if (paragraph.Length > 0 || lines.Number != lineOfLast) paragraphs.Add(paragraph);
            lineOfLast = lines.Number;
        }
        return paragraphs;
    }

    private static List<string> ReadColumn(string path, string column, char? delimiter, int? limit)
    {
        var paragraphs = new List<string>();
        foreach (var row in TextTable.Read(path, delimiter, _ => [column], limit).Rows)
        {
            paragraphs.AddRange(row.Fields[0].Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
            paragraphs.Add("");
        }
        return paragraphs;
    }
}

namespace MLNetLoRA.Cli.Input;

/// <summary>Chosen columns of a delimited text file with a header line.</summary>
/// <remarks>Immutable. Every row is checked before the first is used: a file is taken whole or refused.</remarks>
internal sealed class TextTable
{
    private TextTable(string path, IReadOnlyList<string> columns, IReadOnlyList<TextTableRow> rows) => (Path, Columns, Rows) = (path, columns, rows);

    /// <summary>The file as it was named.</summary>
    public string Path { get; }

    /// <summary>The names of the chosen columns.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>The rows in the file's order.</summary>
    public IReadOnlyList<TextTableRow> Rows { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="delimiter">What separates fields; null goes by the extension.</param>
    /// <param name="choose">From the header's names to the columns to keep; each must be among them exactly once.</param>
    /// <param name="limit">How many rows to read; null for all.</param>
    /// <exception cref="BadInputException">Anything about the file is wrong; the message names the line.</exception>
    public static TextTable Read(string path, char? delimiter, Func<IReadOnlyList<string>, IReadOnlyList<string>> choose, int? limit = null)
    {
        using var lines = TextLines.Open(path);
        var reader = new DelimitedReader(lines, delimiter ?? DelimiterName.OfFile(path));
        var header = reader.Next() ?? throw new BadInputException($"{path}: the file is empty; a header line with column names was wanted.");
        var columns = choose(header);
        int[] places = [.. columns.Select(name => PlaceOf(name, header, path))];

        var rows = new List<TextTableRow>();
        while ((limit is null || rows.Count < limit) && reader.Next() is { } fields)
        {
            if (fields.Length != header.Length)
                throw lines.At(reader.RecordLine, $"has {Count(fields.Length)}, the header has {header.Length}");
            rows.Add(new TextTableRow(reader.RecordLine, [.. places.Select(place => fields[place])]));
        }
        if (rows.Count == 0) throw new BadInputException($"{path}: there are no rows after the header line.");
        return new TextTable(path, columns, rows);
    }

    /// <summary>The position of a column among <see cref="Columns"/>; -1 when it was not chosen.</summary>
    public int IndexOf(string column)
    {
        for (var c = 0; c < Columns.Count; c++)
            if (Columns[c] == column) return c;
        return -1;
    }

    /// <summary>A header's names as messages list them.</summary>
    public static string List(IReadOnlyList<string> names)
    {
        const int Listed = 20;
        return string.Join(", ", names.Take(Listed).Select(name => $"'{name}'")) + (names.Count > Listed ? ", …" : "");
    }

    private static int PlaceOf(string name, string[] header, string path)
    {
        var place = Array.IndexOf(header, name);
        if (place < 0)
            throw new BadInputException($"{path}: there is no column '{name}'; the header has {List(header)}.");
        if (Array.LastIndexOf(header, name) != place)
            throw new BadInputException($"{path}: two columns are called '{name}'; rename one of them.");
        return place;
    }

    private static string Count(int fields) => fields == 1 ? "1 field" : $"{fields} fields";
}

/// <summary>One row of a <see cref="TextTable"/>.</summary>
/// <param name="Line">Where it begins in the file, 1-based.</param>
/// <param name="Fields">The chosen columns' values.</param>
internal sealed record TextTableRow(int Line, string[] Fields);

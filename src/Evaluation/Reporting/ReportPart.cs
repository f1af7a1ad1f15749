namespace MLNetLoRA;

/// <summary>A piece of a report: text, a picture or a table.</summary>
public abstract record ReportPart
{
    private protected ReportPart()
    {
    }
}

/// <summary>A paragraph.</summary>
/// <param name="Text">Plain text.</param>
public sealed record ReportText(string Text) : ReportPart;

/// <summary>A table with a header line; cells that are numbers stand to the right.</summary>
/// <param name="Caption">What it shows, with units.</param>
/// <param name="Columns">The header.</param>
/// <param name="Rows">Each with one cell a column.</param>
public sealed record ReportTable(string Caption, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows) : ReportPart;

/// <summary>A picture, made by <see cref="ReportPictures"/>.</summary>
public sealed record ReportPicture : ReportPart
{
    internal ReportPicture(string title, string description, string svg) => (Title, Description, Svg) = (title, description, svg);

    /// <summary>One line.</summary>
    public string Title { get; }

    /// <summary>What is to be seen, in words: for those who cannot see it, and under it for all others.</summary>
    public string Description { get; }

    /// <summary>The picture as one SVG element, in dark ink on nothing.</summary>
    public string Svg { get; }
}

namespace MLNetLoRA.Cli.Output;

/// <summary>Writes a report to be read, as its file's extension says.</summary>
internal static class ReportFile
{
    /// <summary>Checks at the door that the extension says how to write.</summary>
    /// <exception cref="BadInputException">It does not.</exception>
    public static void Check(string option, string? path)
    {
        if (path is not null && FormOf(path) is null)
            throw new BadInputException($"{option} is '{path}'; name a file that ends in .html (one page, pictures inside) or .md (pictures beside it).");
    }

    /// <summary>Writes the report; does nothing without a path.</summary>
    public static void Write(string? path, ReportDocument report)
    {
        if (path is null) return;
        if (FormOf(path) is Form.Html) report.SaveHtml(path);
        else report.SaveMarkdown(path);
    }

    private static Form? FormOf(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".HTML" or ".HTM" => Form.Html,
        ".MD" => Form.Markdown,
        _ => null,
    };

    private enum Form
    {
        Html,
        Markdown,
    }
}

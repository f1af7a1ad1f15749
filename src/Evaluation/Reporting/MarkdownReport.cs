using System.Text;
using System.Text.RegularExpressions;

namespace MLNetLoRA.Evaluation;

/// <summary>A report as Markdown, with pictures in files of their own.</summary>
internal static partial class MarkdownReport
{
    /// <summary>Writes the page.</summary>
    /// <param name="document">The report.</param>
    /// <param name="fileOf">Where a picture is, relative to the page; null names it only.</param>
    public static string Write(ReportDocument document, Func<ReportPicture, string?> fileOf)
    {
        var page = new StringBuilder($"# {Escape(document.Title)}\n\n{Escape(document.Summary)}\n");
        foreach (var section in document.Sections)
        {
            page.Append($"\n## {Escape(section.Heading)}\n");
            foreach (var part in section.Parts) page.Append('\n').Append(Of(part, fileOf)).Append('\n');
        }
        return page.ToString();
    }

    private static string Of(ReportPart part, Func<ReportPicture, string?> fileOf) => part switch
    {
        ReportPicture picture when fileOf(picture) is { } file =>
            $"![{Escape(picture.Title)}]({Uri.EscapeDataString(file)})\n\n**{Escape(picture.Title)}.** {Escape(picture.Description)}",
        ReportPicture picture => $"**{Escape(picture.Title)}.** {Escape(picture.Description)}",
        ReportTable table => Of(table),
        ReportText text => Escape(text.Text),
        _ => "",
    };

    private static string Of(ReportTable table)
    {
        var lines = new List<string>
        {
            Escape(table.Caption),
            "",
            Row(table.Columns),
            $"|{string.Concat(ReportNumbers.NumericColumns(table).Select(isNumeric => isNumeric ? "---:|" : "---|"))}",
        };
        lines.AddRange(table.Rows.Select(Row));
        return string.Join('\n', lines);
    }

    private static string Row(IReadOnlyList<string> cells) => $"| {string.Join(" | ", cells.Select(Escape))} |";

    // On one line, and with nothing that Markdown or HTML would take for markup.
    private static string Escape(string text) => Markup().Replace(Blank().Replace(text, " ").Trim(), match => $"\\{match.Value}").Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("\\<", "&lt;", StringComparison.Ordinal).Replace("\\>", "&gt;", StringComparison.Ordinal);

    [GeneratedRegex(@"[\\`*_\[\]|<>]|^[#+=-]|^[0-9]+[.)](?= )")]
    private static partial Regex Markup();

    [GeneratedRegex(@"[\s\p{Cc}]+")]
    private static partial Regex Blank();
}

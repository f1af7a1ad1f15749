using System.Net;
using System.Text;

namespace MLNetLoRA.Evaluation;

/// <summary>A report as one HTML page.</summary>
internal static class HtmlReport
{
    // Lighter on a dark page, where dark blue would drown.
    private static readonly string[] DarkColors = ["#e7e9ec", "#3c424b", "#58a6e0", "#f0883e", "#34c598", "#e19bc3", "#f2b73c", "#8ccdf2"];

    // Nothing may be fetched and nothing run, whatever text came in.
    private const string Policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

    private const string Style = """
        body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 56rem; background: var(--paper); color: var(--ink);
          font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Arial, sans-serif; }
        h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .6rem; overflow-wrap: anywhere; }
        h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
        .summary { font-size: 1.1rem; border-left: .25rem solid var(--series-1); padding-left: .9rem; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
        figure { margin: 1rem 0 1.8rem; }
        figure > div, .table { overflow-x: auto; }
        figure svg { display: block; width: 100%; min-width: 27rem; max-width: 42rem; height: auto; }
        svg image { image-rendering: pixelated; }
        figcaption, caption { text-align: left; color: var(--soft); font-size: .92rem; overflow-wrap: anywhere; }
        figcaption strong { display: block; color: var(--ink); font-size: 1rem; }
        caption { padding-bottom: .4rem; }
        table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; margin: .4rem 0 1.2rem; }
        th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
        th { font-weight: 600; }
        .n { text-align: right; white-space: nowrap; }
        @media print {
          body { max-width: none; padding: 0; }
          figure, tr { break-inside: avoid; }
          h2 { break-after: avoid; }
          figure svg { min-width: 0; max-width: 15cm; }
          figure > div, .table { overflow: visible; }
        }
        """;

    public static string Write(ReportDocument document)
    {
        var page = new StringBuilder();
        page.Append($$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="{{Policy}}">
            <meta name="color-scheme" content="light dark">
            <title>{{Encode(document.Title)}}</title>
            <style>
            :root { color-scheme: light dark; {{Declare(Light)}} }
            @media screen and (prefers-color-scheme: dark) { :root { {{Declare(Dark)}} } }
            {{Style}}
            </style>
            </head>
            <body>
            <main>
            <h1>{{Encode(document.Title)}}</h1>
            <p class="summary">{{Encode(document.Summary)}}</p>

            """);
        var pictures = 0;
        foreach (var section in document.Sections)
        {
            page.Append($"<section>\n<h2>{Encode(section.Heading)}</h2>\n");
            foreach (var part in section.Parts) Append(page, part, ref pictures);
            page.Append("</section>\n");
        }
        return page.Append("</main>\n</body>\n</html>\n").ToString().ReplaceLineEndings("\n");
    }

    private static IEnumerable<(string Name, string Color)> Light =>
    [
        ("--paper", "#ffffff"), ("--soft", "#525a65"),
        .. SvgPicture.Variables().Select(pair => (pair.Variable, $"#{pair.Color.R:x2}{pair.Color.G:x2}{pair.Color.B:x2}")),
    ];

    private static IEnumerable<(string Name, string Color)> Dark =>
        [("--paper", "#15181c"), ("--soft", "#a3abb6"), .. SvgPicture.Variables().Zip(DarkColors, (pair, color) => (pair.Variable, color))];

    private static string Declare(IEnumerable<(string Name, string Color)> colors) => string.Join(" ", colors.Select(pair => $"{pair.Name}: {pair.Color};"));

    private static void Append(StringBuilder page, ReportPart part, ref int pictures)
    {
        switch (part)
        {
            case ReportText text:
                page.Append($"<p>{Encode(text.Text)}</p>\n");
                break;
            case ReportPicture picture:
                page.Append($"<figure role=\"group\" aria-label=\"{Encode(picture.Title)}\">\n<div>{SvgPicture.Inline(picture.Svg, ++pictures)}</div>\n");
                page.Append($"<figcaption><strong>{Encode(picture.Title)}</strong> {Encode(picture.Description)}</figcaption>\n</figure>\n");
                break;
            case ReportTable table:
                Append(page, table);
                break;
        }
    }

    private static void Append(StringBuilder page, ReportTable table)
    {
        var numeric = ReportNumbers.NumericColumns(table);
        page.Append($"<div class=\"table\"><table>\n<caption>{Encode(table.Caption)}</caption>\n<thead><tr>");
        foreach (var (column, name) in table.Columns.Index()) page.Append($"<th scope=\"col\"{Side(column)}>{Encode(name)}</th>");
        page.Append("</tr></thead>\n<tbody>\n");
        foreach (var row in table.Rows)
        {
            page.Append("<tr>");
            foreach (var (column, cell) in row.Index()) page.Append($"<td{Side(column)}>{Encode(cell)}</td>");
            page.Append("</tr>\n");
        }
        page.Append("</tbody>\n</table></div>\n");

        string Side(int column) => column < numeric.Count && numeric[column] ? " class=\"n\"" : "";
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}

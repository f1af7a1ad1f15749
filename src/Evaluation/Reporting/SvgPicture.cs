using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using OxyPlot;

namespace MLNetLoRA.Evaluation;

/// <summary>From a plot to an SVG element that can stand in a page beside others.</summary>
internal static partial class SvgPicture
{
    private const int LongestName = 48;

    /// <summary>Draws the plot.</summary>
    /// <param name="model">The plot.</param>
    /// <param name="height">In the picture's own units, as <see cref="PictureStyle.Width"/>.</param>
    public static string Of(PlotModel model, double height)
    {
        var exporter = new SvgExporter
        {
            Width = PictureStyle.Width, Height = height, IsDocument = false, UseVerticalTextAlignmentWorkaround = true, TextMeasurer = new GenerousLettering(),
        };
        var drawn = exporter.ExportToString(model);
        // From the element on, in units of its own: a page decides how large it is.
        var element = drawn[drawn.IndexOf("<svg", StringComparison.Ordinal)..].ReplaceLineEndings("\n").Trim();
        return Size().Replace(element, match => $"{match.Value} viewBox=\"0 0 {match.Groups[1].Value} {match.Groups[2].Value}\"", 1);
    }

    /// <summary>As <see cref="Of"/> gave it, with identifiers that no other picture of the page has and colours that the page may change.</summary>
    public static string Inline(string svg, int number)
    {
        svg = Identifier().Replace(svg, match => $"{match.Groups[1].Value}p{number}-{match.Groups[2].Value}");
        foreach (var (color, variable) in Variables()) svg = svg.Replace(Spell(color), $"var({variable})", StringComparison.Ordinal);
        return svg;
    }

    /// <summary>As <see cref="Of"/> gave it, as a file: on white paper.</summary>
    public static string Standalone(string svg)
    {
        var inside = svg.IndexOf('>', StringComparison.Ordinal) + 1;
        return $"{svg[..inside]}<style>image {{ image-rendering: pixelated; }}</style><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\" />{svg[inside..]}\n";
    }

    /// <summary>The colours that a page may change, and what it calls them.</summary>
    public static IEnumerable<(OxyColor Color, string Variable)> Variables() =>
    [
        (PictureStyle.Ink, "--ink"), (PictureStyle.Faint, "--faint"),
        .. PictureStyle.Series.Take(PictureStyle.Series.Count - 1).Select((color, place) => (color, $"--series-{place + 1}")),
    ];

    /// <summary>Text as a picture can hold it: on one line, not for ever, and of characters that XML knows.</summary>
    public static string Lettering(string text)
    {
        var clean = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
            clean.Append(Rune.IsControl(rune) || rune.Value is 0xFFFE or 0xFFFF ? "\uFFFD" : rune.ToString());
        return clean.Length <= LongestName ? clean.ToString() : $"{Shortened(clean.ToString())}…";
    }

    // Never between the halves of one character.
    private static string Shortened(string text) => text[..(char.IsHighSurrogate(text[LongestName - 1]) ? LongestName - 1 : LongestName)];

    private static string Spell(OxyColor color) => string.Create(CultureInfo.InvariantCulture, $"rgb({color.R},{color.G},{color.B})");

    [GeneratedRegex("width=\"([0-9.]+)\" height=\"([0-9.]+)\"")]
    private static partial Regex Size();

    [GeneratedRegex("(id=\"|url\\(#)(clipPath[0-9]+)")]
    private static partial Regex Identifier();
}

using System.Net;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Reporting;

public sealed partial class ReportDocumentTests
{
    [Fact]
    public void ToHtml_AnyReport_StandsAlone()
    {
        var page = SampleDocuments.Everything().ToHtml();

        Assert.StartsWith("<!DOCTYPE html>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<link", page, StringComparison.OrdinalIgnoreCase);
        // Names of XML namespaces are no addresses to fetch from.
        Assert.DoesNotContain("http", Namespace().Replace(page, "").Replace("http-equiv", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("default-src 'none'", page, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", page, StringComparison.Ordinal);
        Assert.Contains("@media print", page, StringComparison.Ordinal);
        Assert.Contains("width=device-width", page, StringComparison.Ordinal);
    }

    [Fact]
    public void ToHtml_AnyReport_SaysTheSummaryThenShowsPicturesThenTables()
    {
        var page = SampleDocuments.Continual().ToHtml();

        var (summary, picture, table) = (
            page.IndexOf("class=\"summary\"", StringComparison.Ordinal), page.IndexOf("<svg", StringComparison.Ordinal), page.IndexOf("<table", StringComparison.Ordinal));
        Assert.InRange(summary, 1, picture);
        Assert.InRange(picture, summary, table);
    }

    [Fact]
    public void ToHtml_SeveralPictures_ShareNoIdentifierAndNamePageColors()
    {
        var page = SampleDocuments.Everything().ToHtml();

        var identifiers = Identifier().Matches(page).Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(identifiers);
        Assert.Equal(identifiers.Distinct(), identifiers);
        Assert.All(Reference().Matches(page), match => Assert.Contains(match.Groups[1].Value, identifiers));
        Assert.Contains("var(--ink)", page, StringComparison.Ordinal);
        Assert.Contains("var(--series-2)", page, StringComparison.Ordinal);
        Assert.DoesNotContain("rgb(31,35,41)", page, StringComparison.Ordinal);
        // A line of no width is not seen, whatever its colour.
        Assert.DoesNotContain("black", page.Replace("stroke:black;stroke-width:0\"", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void ToHtml_HostileNames_AreTextAndNothingElse()
    {
        var page = SampleDocuments.Everything(SampleDocuments.Hostile).ToHtml();

        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(WebUtility.HtmlEncode("<script>alert('x')</script> & \"quoted\""), page, StringComparison.Ordinal);
        Assert.Contains("日本語", page, StringComparison.Ordinal);
        // Every picture is well-formed, whatever is written in it.
        foreach (Match svg in Svg().Matches(page)) XElement.Parse(svg.Value);
        Assert.Equal(4, Svg().Count(page));
    }

    [Fact]
    public void ToMarkdown_HostileNames_AreTextAndNothingElse()
    {
        var page = SampleDocuments.Everything(SampleDocuments.Hostile).ToMarkdown();

        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        // A cell with a bar in it stays one cell.
        Assert.Contains("\\| \\`code\\` \\_under\\_", page, StringComparison.Ordinal);
        Assert.DoesNotContain('\u0001', page);
        Assert.Contains("|---|---:|", page, StringComparison.Ordinal);
    }

    [Fact]
    public void SaveMarkdown_Pictures_AreFilesBesideThePage()
    {
        using var folder = new TemporaryFolder();

        SampleDocuments.Everything().SaveMarkdown(folder.File("a report.md"));

        Assert.Equal(["a report-1.svg", "a report-2.svg", "a report-3.svg", "a report-4.svg", "a report.md"], folder.Names());
        Assert.Contains("![Curve a name](a%20report-1.svg)", File.ReadAllText(folder.File("a report.md")), StringComparison.Ordinal);
        var picture = XElement.Parse(File.ReadAllText(folder.File("a report-1.svg")));
        Assert.Equal("svg", picture.Name.LocalName);
        Assert.DoesNotContain("var(", picture.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void SaveHtml_WhereAFileIs_ReplacesItWholeOrNotAtAll()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("report.html", "old");

        SampleDocuments.Everything().SaveHtml(path);

        Assert.EndsWith("</html>\n", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.Equal(["report.html"], folder.Names());
        Assert.Throws<DirectoryNotFoundException>(() => SampleDocuments.Everything().SaveHtml(folder.File("missing/report.html")));
    }

    [Fact]
    public void ToHtml_Twice_GivesTheSameBytes() => Assert.Equal(SampleDocuments.Everything().ToHtml(), SampleDocuments.Everything().ToHtml());

    [GeneratedRegex("xmlns(:xlink)?=\"http://www\\.w3\\.org/[0-9]+/[a-z]+\"")]
    private static partial Regex Namespace();

    [GeneratedRegex(" id=\"([^\"]+)\"")]
    private static partial Regex Identifier();

    [GeneratedRegex("url\\(#([^)]+)\\)")]
    private static partial Regex Reference();

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Svg();
}

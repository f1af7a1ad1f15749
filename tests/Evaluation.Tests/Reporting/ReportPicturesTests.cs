using System.Globalization;
using System.Xml.Linq;

namespace MLNetLoRA.Evaluation.Tests.Reporting;

public sealed class ReportPicturesTests
{
    [Fact]
    public void Lines_TwoSeries_NameAxesAndSeriesAndPlaceThePoints()
    {
        var picture = ReportPictures.Lines("Curve", "Seen.", "forgetting (nats)", "accuracy (share)",
            [new ReportLine("Top", [new(0, 0.5), new(1, 0.9, "λ 1")]), new ReportLine("Balance", [new(0, 0.5), new(0.5, 0.9)])]);

        var texts = Texts(picture);
        Assert.Superset(new HashSet<string> { "forgetting (nats)", "accuracy (share)", "Top", "Balance", "λ 1" }, texts.ToHashSet());
        var lines = Elements(picture, "polyline").Where(line => line.Attribute("style")!.Value.Contains("stroke-width:2", StringComparison.Ordinal)).ToList();
        var (first, second) = (Points(lines[0]), Points(lines[1]));
        Assert.True(first[1].X > first[0].X && first[1].Y < first[0].Y);            // larger is to the right and up
        Assert.Equal(first[0], second[0]);
        Assert.Equal((first[0].X + first[1].X) / 2, second[1].X, 0.01);             // half as far
    }

    [Fact]
    public void Points_OneSeries_AreNotJoined()
    {
        var picture = ReportPictures.Points("Runs", "Seen.", "intruders (count)", "forgetting (nats)", [new ReportLine("runs", [new(1, 2), new(3, 4)])]);

        Assert.DoesNotContain(Elements(picture, "polyline"), line => line.Attribute("style")!.Value.Contains("stroke-width:2", StringComparison.Ordinal));
        Assert.DoesNotContain("runs", Texts(picture));      // one series needs no legend
    }

    [Fact]
    public void Grid_Numbers_AreWrittenAndDarkerWhereLarger()
    {
        var picture = ReportPictures.Grid("Grid", "Seen.", "task", "after", ["a", "b"], ["base", "one"], [[0, 0.5], [double.NaN, 1]], "F2", (0, 1));

        Assert.Superset(new HashSet<string> { "0.00", "0.50", "1.00", "task", "after", "a", "b", "base", "one" }, Texts(picture).ToHashSet());
        Assert.DoesNotContain("NaN", picture.Svg, StringComparison.Ordinal);
        var cells = Elements(picture, "rect").Where(cell => cell.Attribute("style")?.Value.Contains("fill:rgb", StringComparison.Ordinal) ?? false)
            .Select(cell => (X: Number(cell, "x"), Y: Number(cell, "y"), Fill: cell.Attribute("style")!.Value.Split("fill:rgb(")[1].Split(',')[0])).ToList();
        Assert.Equal(3, cells.Count);
        Assert.Equal(["233", "8"], [cells[0].Fill, cells[2].Fill]);
        Assert.True(cells[0].X < cells[1].X && cells[1].Y < cells[2].Y);            // the first row is at the top
    }

    [Fact]
    public void Intruders_OfALayeredModel_HaveOneRowAMapAndOneColumnALayer()
    {
        SpectralFinding[] matrices =
        [
            Finding("roberta.encoder.layer.0.attention.self.query", 2), Finding("roberta.encoder.layer.0.output.dense", 0),
            Finding("roberta.encoder.layer.10.attention.self.query", 1), Finding("roberta.encoder.layer.2.attention.self.query", 0),
        ];

        var grid = LayerGrid.Of(matrices);

        Assert.Equal(["0", "2", "10"], grid.Layers);
        Assert.Equal(["attention.self.query", "output.dense"], grid.Maps);
        Assert.Equal([2, 0, 1], grid.Counts[0]);
        Assert.Equal([0, double.NaN, double.NaN], grid.Counts[1]);
        Assert.Contains("3 in all", ReportPictures.Intruders(matrices).Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Intruders_OfNamesWithoutALayer_KeepTheWholeName()
    {
        var grid = LayerGrid.Of([Finding("dense", 1)]);

        Assert.Equal(["–", "dense"], grid.Layers.Concat(grid.Maps));
    }

    [Fact]
    public void Similarity_ManyVectors_StaysSmallAndIsAnImageInside()
    {
        var cosines = Enumerable.Range(0, 300).Select(row => (double[])[.. Enumerable.Range(0, 300).Select(column => row == column ? 1.0 : 0.02)]).ToArray();

        var picture = ReportPictures.Similarity(new SingularVectorSimilarity("query", cosines));

        // 300 by 300 pixels of four bytes would be five times what 128 by 128 are, in letters of six bits.
        Assert.InRange(picture.Svg.Length, 1_000, 128 * 128 * 4 * 8 / 6 * 1.5);
        var image = Elements(picture, "image").Single();
        Assert.StartsWith("data:image/png;base64,", image.Attributes().Single(attribute => attribute.Name.LocalName == "href").Value, StringComparison.Ordinal);
        Assert.Contains("|cosine|", Texts(picture));
    }

    [Fact]
    public void Pictures_OfNothing_AreRefused()
    {
        Assert.Contains("no finite point", Refusal(() => ReportPictures.Lines("t", "d", "x", "y", [new ReportLine("a", [new(double.NaN, 1)])])), StringComparison.Ordinal);
        Assert.Contains("no finite point", Refusal(() => ReportPictures.Points("t", "d", "x", "y", [])), StringComparison.Ordinal);
        Assert.Contains("no cells", Refusal(() => ReportPictures.Grid("t", "d", "x", "y", [], ["a"], [[]], "F2")), StringComparison.Ordinal);
        Assert.Contains("2 rows of 1 values", Refusal(() => ReportPictures.Grid("t", "d", "x", "y", ["a"], ["b", "c"], [[1], [1, 2]], "F2")), StringComparison.Ordinal);
        Assert.Contains("no matrix", Refusal(() => ReportPictures.Similarity(new("q", [[1, 0], [1]]))), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ReportPictures.Intruders([]));

        static string Refusal(Func<ReportPicture> draw) => Assert.Throws<ArgumentException>(draw).Message;
    }

    /// <summary>A finding with this many intruders of ten vectors.</summary>
    internal static SpectralFinding Finding(string name, int intruders) => new()
    {
        Name = name,
        Rows = 32,
        Columns = 32,
        Settings = new SpectralSettings(),
        Triples = [.. Enumerable.Range(0, 10).Select(place => place < intruders
            ? new SingularTriple(place, 10 - place, 0.1, 0.1, 0.1, 0, 0, 1, true)
            : new SingularTriple(place, 10 - place, 0.9, 0.9, 0.9, 0, 0, 0, true))],
        BaseFrobenius = 5,
        TunedFrobenius = 6,
        DeltaFrobenius = 3,
        DeltaStableRank = 1,
        EffectiveRank = 1,
    };

    private static List<XElement> Elements(ReportPicture picture, string name) =>
        [.. XElement.Parse(picture.Svg).Descendants().Where(element => element.Name.LocalName == name)];

    private static List<string> Texts(ReportPicture picture) => [.. Elements(picture, "text").Select(text => text.Value)];

    private static List<(double X, double Y)> Points(XElement line) =>
        [.. line.Attribute("points")!.Value.Split(' ').Select(point => point.Split(',')).Select(pair => (Parse(pair[0]), Parse(pair[1])))];

    private static double Number(XElement element, string attribute) => Parse(element.Attribute(attribute)!.Value);

    private static double Parse(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}

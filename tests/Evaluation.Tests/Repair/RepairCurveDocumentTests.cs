using System.Globalization;
using System.Xml.Linq;

namespace MLNetLoRA.Evaluation.Tests.Repair;

public sealed class RepairCurveDocumentTests
{
    private static readonly RepairCurve Curve = new()
    {
        Unscaled = new ForgettingReport
        {
            BaseName = "tiny", Measure = RetentionMeasure.Exact, Positions = 10, MaxTokens = 128, Seed = 1, Corpora = [], BaseLoss = 2, TunedLoss = 3, Forgetting = 1,
            StandardError = 0.05, Interval = new(0.9, 1.1), Seconds = 1,
        },
        UnscaledTask = new TaskMetric(0.9, 0.3),
        AccuracyTolerance = 0.1,
        IntruderCount = 3,
        Points =
        [
            new(RepairMethod.UniformGlobal, 0, 0, 0.05, 0, 0.3, 1.1), new(RepairMethod.UniformGlobal, 0.5, 0.5, 0.05, 0.5, 0.7, 0.6),
            new(RepairMethod.Balance, 1, 0.4, 0.05, 0.4, 0.85, 0.35),
        ],
        AtEqualTask = [new(RepairMethod.UniformGlobal, 0.75, 0.75, 0.75), new(RepairMethod.Balance, 1, 0.4, 0.4)],
        Recommended = new(RepairMethod.Balance, 1),
        Conclusion = "Balance it.",
        Seconds = 1,
    };

    [Fact]
    public void Of_ACurve_DrawsOneLineAMethodFromTheUntouchedModel()
    {
        var document = Curve.ToDocument();

        Assert.Equal("As it is, the model forgot 1.0000 ± 0.0500 nats per token and has an accuracy of 0.9000. Balance it.", document.Summary);
        var picture = Assert.IsType<ReportPicture>(document.Sections[0].Parts[0]);
        var lines = Lines(picture)[..2];         // samples in the legend follow
        Assert.Equal([3, 2], lines.Select(line => line.Length));
        // Untouched: the last of what is shrunk, the first of what is balanced; to the right of and above the others.
        Assert.Equal(lines[0][^1], lines[1][0]);
        Assert.All([.. lines[0][..^1], lines[1][1]], point => Assert.True(point.X < lines[1][0].X && point.Y > lines[1][0].Y));
        Assert.Equal((lines[0][0].X + lines[0][2].X) / 2, lines[0][1].X, 0.01);
        Assert.Contains("uniform-global", picture.Svg, StringComparison.Ordinal);
        Assert.Single(Lines(Assert.IsType<ReportPicture>(document.Sections[0].Parts[1])));        // balance has no scale
    }

    [Fact]
    public void Of_ACurve_TellsEveryNumber()
    {
        var (points, equal) = (Table(Curve, 0), Table(Curve, 1));

        Assert.Equal(["balance", "1", "0.4000", "0.0500", "0.400", "0.850", "0.350"], points.Rows[2]);
        Assert.EndsWith("Intruder dimensions: 3.", points.Caption, StringComparison.Ordinal);
        Assert.Equal(["uniform-global", "0.75", "0.7500", "0.750"], equal.Rows[0]);
        Assert.StartsWith("At equal accuracy, 0.1 below", equal.Caption, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_ACurveWithoutATask_ShowsForgettingAlone()
    {
        var curve = Curve with { UnscaledTask = null, AtEqualTask = [], Points = [.. Curve.Points.Select(point => point with { Accuracy = null, LogLoss = null })] };

        var document = curve.ToDocument();

        Assert.Equal("Forgetting over the scale", Assert.IsType<ReportPicture>(document.Sections[0].Parts.Single()).Title);
        Assert.Equal(["–", "–"], Table(curve, 0).Rows[0].TakeLast(2));
        Assert.Equal(2, document.Sections[1].Parts.Count);
    }

    private static ReportTable Table(RepairCurve curve, int place) => Assert.IsType<ReportTable>(curve.ToDocument().Sections[1].Parts[place]);

    private static List<(double X, double Y)[]> Lines(ReportPicture picture) =>
    [
        .. XElement.Parse(picture.Svg).Descendants().Where(element => element.Name.LocalName == "polyline" && element.Attribute("style")!.Value.Contains("stroke-width:2", StringComparison.Ordinal))
            .Select(line => line.Attribute("points")!.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(point => point.Split(',')
                .Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray()).Select(pair => (pair[0], pair[1])).ToArray()),
    ];
}

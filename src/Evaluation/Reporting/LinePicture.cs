using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Series;

namespace MLNetLoRA.Evaluation;

/// <summary>Series of points over two axes of numbers.</summary>
internal static class LinePicture
{
    private const double Height = 380;
    private const double LegendRow = 26;

    public static string Draw(string xAxis, string yAxis, IReadOnlyList<ReportLine> lines, bool areJoined)
    {
        ArgumentNullException.ThrowIfNull(lines);
        var shown = lines.Select(line => line with { Points = [.. line.Points.Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y))] }).ToList();
        if (shown.All(line => line.Points.Count == 0))
            throw new ArgumentException("There is no finite point to draw; leave the picture out.", nameof(lines));

        var model = PictureStyle.Model();
        model.Axes.Add(Axis(AxisPosition.Bottom, xAxis, shown, point => point.X));
        model.Axes.Add(Axis(AxisPosition.Left, yAxis, shown, point => point.Y));
        foreach (var (place, line) in shown.Index()) Add(model, line, place, areJoined);
        if (shown.Count > 1) model.Legends.Add(PictureStyle.Legend());
        return SvgPicture.Of(model, Height + (shown.Count > 1 ? LegendRow * Math.Ceiling(shown.Count / 3.0) : 0));
    }

    private static LinearAxis Axis(AxisPosition position, string title, List<ReportLine> lines, Func<ReportPoint, double> valueOf)
    {
        var axis = PictureStyle.Numbers(position, title);
        // Halves of a stage or of an intruder mean nothing.
        if (lines.SelectMany(line => line.Points).All(point => double.IsInteger(valueOf(point)))) axis.MinimumMajorStep = 1;
        return axis;
    }

    private static void Add(PlotModel model, ReportLine line, int place, bool areJoined)
    {
        var color = PictureStyle.Series[place % PictureStyle.Series.Count];
        var marker = PictureStyle.Markers[place % PictureStyle.Markers.Count];
        var isOutlined = marker is MarkerType.Cross or MarkerType.Plus or MarkerType.Star;
        var series = new LineSeries
        {
            Title = SvgPicture.Lettering(line.Name),
            Color = color,
            LineStyle = areJoined ? LineStyle.Solid : LineStyle.None,
            StrokeThickness = 2,
            MarkerType = marker,
            MarkerSize = 5,
            MarkerFill = color,
            MarkerStroke = color,
            MarkerStrokeThickness = isOutlined ? 2 : 0,
        };
        foreach (var point in line.Points)
        {
            series.Points.Add(new DataPoint(point.X, point.Y));
            if (point.Label is { } label) model.Annotations.Add(Beside(point, label, color));
        }
        model.Series.Add(series);
    }

    private static TextAnnotation Beside(ReportPoint point, string label, OxyColor color) => new()
    {
        Text = SvgPicture.Lettering(label),
        TextPosition = new DataPoint(point.X, point.Y),
        Offset = new ScreenVector(0, -7),
        TextHorizontalAlignment = HorizontalAlignment.Center,
        TextVerticalAlignment = VerticalAlignment.Bottom,
        TextColor = color,
        FontSize = PictureStyle.FontSize - 2,
        StrokeThickness = 0,
    };
}

using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;

namespace MLNetLoRA.Evaluation;

/// <summary>How all pictures look.</summary>
internal static class PictureStyle
{
    /// <summary>Width of a picture, in its own units; it grows and shrinks with the page.</summary>
    public const int Width = 560;

    public const double FontSize = 14;

    // Named first in the list that a viewer lacks is passed over.
    public const string Font = "Arial, Helvetica, sans-serif";

    public static readonly OxyColor Ink = OxyColor.FromRgb(31, 35, 41);
    public static readonly OxyColor Faint = OxyColor.FromRgb(217, 221, 226);

    /// <summary>Okabe and Ito's colours, which are told apart with colour-blind eyes; yellow, too light for a line, left out.</summary>
    public static readonly IReadOnlyList<OxyColor> Series =
    [
        OxyColor.FromRgb(0, 114, 178), OxyColor.FromRgb(213, 94, 0), OxyColor.FromRgb(0, 158, 115), OxyColor.FromRgb(204, 121, 167),
        OxyColor.FromRgb(230, 159, 0), OxyColor.FromRgb(86, 180, 233), Ink,
    ];

    public static readonly IReadOnlyList<MarkerType> Markers =
        [MarkerType.Circle, MarkerType.Square, MarkerType.Triangle, MarkerType.Diamond, MarkerType.Cross, MarkerType.Plus, MarkerType.Star];

    /// <summary>An empty picture.</summary>
    public static PlotModel Model() => new()
    {
        DefaultFont = Font,
        DefaultFontSize = FontSize,
        TextColor = Ink,
        Background = OxyColors.Transparent,
        PlotAreaBorderColor = Ink,
        PlotAreaBorderThickness = new OxyThickness(1, 0, 0, 1),
        Padding = new OxyThickness(4, 8, 14, 4),
    };

    /// <summary>An axis of numbers.</summary>
    public static LinearAxis Numbers(AxisPosition position, string title) => Styled(new LinearAxis
    {
        MajorGridlineStyle = LineStyle.Solid,
        MinimumPadding = 0.06,
        MaximumPadding = 0.08,
    }, position, title);

    /// <summary>An axis with one place a name; the first is at the left or at the top.</summary>
    public static CategoryAxis Names(AxisPosition position, string title, IEnumerable<string> names)
    {
        var axis = Styled(new CategoryAxis { GapWidth = 0, IsTickCentered = true }, position, title);
        foreach (var name in names) axis.Labels.Add(SvgPicture.Lettering(name));
        if (position is AxisPosition.Left) (axis.StartPosition, axis.EndPosition) = (1, 0);
        return axis;
    }

    /// <summary>Names below the picture, where they hide nothing.</summary>
    public static Legend Legend() => new()
    {
        LegendPlacement = LegendPlacement.Outside,
        LegendPosition = LegendPosition.BottomCenter,
        LegendOrientation = LegendOrientation.Horizontal,
        LegendFontSize = FontSize,
        LegendTextColor = Ink,
        LegendBorder = OxyColors.Transparent,
        LegendBorderThickness = 0,
        LegendSymbolLength = 28,
        LegendLineSpacing = 8,
        LegendItemSpacing = 20,
    };

    private static T Styled<T>(T axis, AxisPosition position, string title) where T : Axis
    {
        axis.Position = position;
        axis.Title = SvgPicture.Lettering(title);
        axis.AxislineColor = axis.TextColor = axis.TitleColor = axis.TicklineColor = Ink;
        axis.MajorGridlineColor = Faint;
        axis.MinorTickSize = 0;
        axis.MajorTickSize = 4;
        axis.AxisTitleDistance = 8;
        return axis;
    }
}

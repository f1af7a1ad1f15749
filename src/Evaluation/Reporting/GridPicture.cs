using System.Globalization;
using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;

namespace MLNetLoRA.Evaluation;

/// <summary>Cells with a number in each, darker where it is larger.</summary>
internal static class GridPicture
{
    private const double CellHeight = 34;
    private const double Around = 76;
    private const int MostLettered = 16;

    // From light to dark, one hue: read alike with any eyes and on grey paper.
    private static readonly OxyColor Lightest = OxyColor.FromRgb(233, 241, 250);
    private static readonly OxyColor Darkest = OxyColor.FromRgb(8, 48, 107);
    private static readonly OxyColor Paper = OxyColor.FromRgb(254, 254, 254);
    private static readonly OxyColor Print = OxyColor.FromRgb(16, 18, 22);

    public static string Draw(
        string xAxis, string yAxis, IReadOnlyList<string> columns, IReadOnlyList<string> rows, IReadOnlyList<IReadOnlyList<double>> values, string format,
        (double Lightest, double Darkest)? range)
    {
        if (columns.Count == 0 || rows.Count == 0) throw new ArgumentException("There are no cells to draw; leave the picture out.");
        if (values.Count != rows.Count || values.Any(row => row.Count != columns.Count))
            throw new ArgumentException($"{rows.Count} rows of {columns.Count} values were wanted; {values.Count} were given, of {string.Join(", ", values.Select(row => row.Count))}.");

        var finite = values.SelectMany(row => row).Where(double.IsFinite).DefaultIfEmpty(0).ToList();
        var (least, most) = range ?? (finite.Min(), finite.Max());
        var model = PictureStyle.Model();
        model.PlotAreaBorderThickness = new OxyThickness(0);
        model.Axes.Add(PictureStyle.Names(AxisPosition.Bottom, xAxis, columns));
        model.Axes.Add(PictureStyle.Names(AxisPosition.Left, yAxis, rows));
        for (var r = 0; r < rows.Count; r++)
            for (var c = 0; c < columns.Count; c++)
                if (double.IsFinite(values[r][c])) model.Annotations.Add(Cell(c, r, values[r][c], Share(values[r][c], least, most), format, columns.Count));
        return SvgPicture.Of(model, Around + (CellHeight * rows.Count));
    }

    private static RectangleAnnotation Cell(int column, int row, double value, double share, string format, int columnCount) => new()
    {
        MinimumX = column - 0.48,
        MaximumX = column + 0.48,
        MinimumY = row - 0.46,
        MaximumY = row + 0.46,
        Fill = OxyColor.Interpolate(Lightest, Darkest, share),
        Text = columnCount <= MostLettered ? value.ToString(format, CultureInfo.InvariantCulture) : null,
        TextColor = share > 0.45 ? Paper : Print,
        FontSize = PictureStyle.FontSize,
    };

    private static double Share(double value, double least, double most) => most > least ? Math.Clamp((value - least) / (most - least), 0, 1) : 0;
}

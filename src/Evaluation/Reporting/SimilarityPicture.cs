using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Series;

namespace MLNetLoRA.Evaluation;

/// <summary>A matrix of |cosines| as an image.</summary>
internal static class SimilarityPicture
{
    private const int MostPixels = 128;
    private const double Height = 470;

    public static string Draw(IReadOnlyList<IReadOnlyList<double>> cosines)
    {
        if (cosines.Count == 0 || cosines[0].Count == 0 || cosines.Any(row => row.Count != cosines[0].Count))
            throw new ArgumentException("The cosines are no matrix; give one row for each vector, all of one length.", nameof(cosines));
        var (rows, columns) = (cosines.Count, cosines[0].Count);
        var model = PictureStyle.Model();
        model.PlotAreaBorderThickness = new OxyThickness(1);
        model.Axes.Add(Ranks(AxisPosition.Bottom, "singular vector of the base, by singular value", columns));
        model.Axes.Add(Ranks(AxisPosition.Left, "singular vector of the tuned matrix", rows));
        model.Axes.Add(new LinearColorAxis
        {
            Position = AxisPosition.Right, Palette = OxyPalettes.Viridis(64), Minimum = 0, Maximum = 1, Title = "|cosine|", MajorStep = 0.25, MinorTickSize = 0,
            TextColor = PictureStyle.Ink, TitleColor = PictureStyle.Ink, TicklineColor = PictureStyle.Ink, AxisDistance = 10,
        });
        var pixels = Pixels(cosines);
        var (width, height) = (pixels.GetLength(0), pixels.GetLength(1));
        model.Series.Add(new HeatMapSeries
        {
            // Coordinates are those of the outer pixels' centres.
            X0 = 0.5 + (columns / 2.0 / width), X1 = columns + 0.5 - (columns / 2.0 / width),
            Y0 = 0.5 + (rows / 2.0 / height), Y1 = rows + 0.5 - (rows / 2.0 / height),
            Data = pixels, Interpolate = false, RenderMethod = HeatMapRenderMethod.Bitmap,
        });
        return SvgPicture.Of(model, Height);
    }

    private static LinearAxis Ranks(AxisPosition position, string title, int count)
    {
        var axis = PictureStyle.Numbers(position, title);
        (axis.Minimum, axis.Maximum, axis.MajorGridlineStyle) = (0.5, count + 0.5, LineStyle.None);
        axis.MinimumMajorStep = 1;
        if (position is AxisPosition.Left) (axis.StartPosition, axis.EndPosition) = (1, 0);
        return axis;
    }

    // The largest of each block: a single light pixel must not drown. Indexed by column, then row.
    private static double[,] Pixels(IReadOnlyList<IReadOnlyList<double>> cosines)
    {
        var (rows, columns) = (cosines.Count, cosines[0].Count);
        var pixels = new double[Math.Min(columns, MostPixels), Math.Min(rows, MostPixels)];
        var (width, height) = (pixels.GetLength(0), pixels.GetLength(1));
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++)
            {
                ref var pixel = ref pixels[(int)((long)c * width / columns), (int)((long)r * height / rows)];
                pixel = Math.Max(pixel, cosines[r][c]);
            }
        return pixels;
    }
}

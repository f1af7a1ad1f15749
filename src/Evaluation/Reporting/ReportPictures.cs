using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>The pictures that reports show: curves, points, grids of numbers, and how singular vectors resemble each other.</summary>
/// <remarks>
/// Thread-safe. Colours are told apart also with colour-blind eyes, and lines by their markers too; every axis is named. The same numbers give the
/// same picture to the byte.
/// </remarks>
public static class ReportPictures
{
    /// <summary>One line a series, with a marker at every point: a task's metric against forgetting over the scales, one line a method.</summary>
    /// <param name="title">One line.</param>
    /// <param name="description">What is to be seen, in words.</param>
    /// <param name="xAxis">What the horizontal axis shows, with its unit.</param>
    /// <param name="yAxis">What the vertical axis shows, with its unit.</param>
    /// <param name="lines">At least one finite point in all.</param>
    /// <exception cref="ArgumentException">There is no finite point.</exception>
    public static ReportPicture Lines(string title, string description, string xAxis, string yAxis, IReadOnlyList<ReportLine> lines) =>
        new(title, description, LinePicture.Draw(xAxis, yAxis, lines, areJoined: true));

    /// <summary>Markers only: forgetting against intruders, one point a run.</summary>
    /// <inheritdoc cref="Lines"/>
    public static ReportPicture Points(string title, string description, string xAxis, string yAxis, IReadOnlyList<ReportLine> lines) =>
        new(title, description, LinePicture.Draw(xAxis, yAxis, lines, areJoined: false));

    /// <summary>A grid of cells with a number in each, darker where it is larger: an accuracy matrix.</summary>
    /// <param name="title">One line.</param>
    /// <param name="description">What is to be seen, in words.</param>
    /// <param name="xAxis">What the columns are.</param>
    /// <param name="yAxis">What the rows are.</param>
    /// <param name="columns">Names of the columns.</param>
    /// <param name="rows">Names of the rows, the first at the top.</param>
    /// <param name="values">One row each, one value a column; NaN leaves a cell empty.</param>
    /// <param name="format">How a number is spelled, "F2" for two digits.</param>
    /// <param name="range">What is lightest and what is darkest; null takes the smallest and the largest value.</param>
    /// <exception cref="ArgumentException">There are no cells, or a row has another number of values than there are columns.</exception>
    public static ReportPicture Grid(
        string title, string description, string xAxis, string yAxis, IReadOnlyList<string> columns, IReadOnlyList<string> rows,
        IReadOnlyList<IReadOnlyList<double>> values, string format, (double Lightest, double Darkest)? range = null) =>
        new(title, description, GridPicture.Draw(xAxis, yAxis, columns, rows, values, format, range));

    /// <summary>Intruder dimensions of each matrix: one row a kind of linear map, one column a layer.</summary>
    /// <param name="matrices">What was found; names hold the layer's number, as checkpoint keys do.</param>
    /// <exception cref="ArgumentException">There are no matrices.</exception>
    public static ReportPicture Intruders(IReadOnlyList<SpectralFinding> matrices)
    {
        ArgumentNullException.ThrowIfNull(matrices);
        if (matrices.Count == 0) throw new ArgumentException("There are no matrices to draw; leave the picture out.", nameof(matrices));
        var layers = LayerGrid.Of(matrices);
        return Grid(
            "Intruder dimensions per matrix and layer",
            $"Number of intruder dimensions in each of {matrices.Count} matrices, {matrices.Sum(matrix => matrix.Intruders.Count)} in all.",
            "layer", "linear map", layers.Layers, layers.Maps, layers.Counts, "F0", (0, Math.Max(1, matrices.Max(matrix => matrix.Intruders.Count))));
    }

    /// <summary>How much each singular vector of a tuned matrix resembles each of the base: |UᵀU₀|, as in figure 1 of arXiv 2410.21228.</summary>
    /// <param name="similarity">The cosines; of more than 128 vectors, each pixel shows the largest of a block.</param>
    public static ReportPicture Similarity(SingularVectorSimilarity similarity)
    {
        ArgumentNullException.ThrowIfNull(similarity);
        return new ReportPicture(
            $"Singular vectors of {similarity.Name} against the base's",
            "Absolute cosines of the tuned matrix's singular vectors (rows) with those of the base (columns). A light diagonal is a matrix that kept its "
            + "directions; a row that is dark throughout is an intruder dimension.",
            SimilarityPicture.Draw(similarity.Cosines));
    }
}

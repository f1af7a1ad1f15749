using Microsoft.ML;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Spectral;

namespace MLNetLoRA;

/// <summary>What InspectIntruders found, to be read and looked at.</summary>
public static class SpectralReportCatalog
{
    /// <summary>Compares every singular vector of one fine-tuned matrix with every one of the base: the picture of arXiv 2410.21228, figure 1.</summary>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; as its last rescaling left it.</param>
    /// <param name="matrixName">Its checkpoint key without ".weight", as in <see cref="SpectralReport.Matrices"/>.</param>
    /// <param name="options">Which model and base are meant, and which side's vectors; null for the defaults.</param>
    /// <returns>min(rows, columns) squared cosines.</returns>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; the matrix was not fine-tuned; or the base given is another.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static SingularVectorSimilarity CompareSingularVectors(
        this ModelOperationsCatalog catalog, ITransformer model, string matrixName, IntruderInspectionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(matrixName);
        options ??= new IntruderInspectionOptions();
        using var evaluated = EvaluatedModel.Find(model, options.ScoreColumnName, options.BaseModel);
        using var changes = evaluated.Classifier.OpenChanges(options.BaseModel);
        using var change = changes.Open(matrixName, evaluated.Classifier.Device);
        var cosines = new IntruderDetector(new SpectralSettings { Side = options.Spectral.Side }).Similarity(change.Change);
        return new SingularVectorSimilarity(matrixName, [.. Enumerable.Range(0, cosines.GetLength(0)).Select(
            row => (double[])[.. Enumerable.Range(0, cosines.GetLength(1)).Select(column => Math.Min(1, cosines[row, column]))])]);
    }

    /// <summary>The report as a document with pictures.</summary>
    /// <param name="report">What was found.</param>
    /// <param name="similarities">Matrices to be shown vector by vector; null for none.</param>
    public static ReportDocument ToDocument(this SpectralReport report, IReadOnlyList<SingularVectorSimilarity>? similarities = null)
    {
        ArgumentNullException.ThrowIfNull(report);
        return SpectralReportDocument.Of(report, similarities ?? []);
    }
}

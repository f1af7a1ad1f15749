using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Reporting;

public sealed class SpectralReportCatalogTests
{
    private const string Query = "roberta.encoder.layer.0.attention.self.query";

    private readonly MLContext _ml = new(1);

    [Fact]
    public void CompareSingularVectors_FineTunedMatrix_HasTheCosinesOfCompleteDecompositions()
    {
        using var model = CapitalTask.Fit();

        var similarity = _ml.Model.CompareSingularVectors(model, Query);

        var finding = _ml.Model.InspectIntruders(model).Matrices.Single(matrix => matrix.Name == Query);
        Assert.Equal((Query, 32), (similarity.Name, similarity.Cosines.Count));
        for (var k = 0; k < 10; k++) Assert.Equal(finding.MaxAbsCosines[k], similarity.Cosines[k].Max(), 1e-5);
        // Rows and columns of an orthogonal matrix have length 1.
        Assert.All(similarity.Cosines, row => Assert.Equal(1, row.Sum(cosine => cosine * cosine), 1e-6));
        Assert.All(similarity.Cosines.SelectMany(row => row), cosine => Assert.InRange(cosine, 0, 1));
    }

    [Fact]
    public void CompareSingularVectors_UnknownMatrix_IsRefused()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 });

        Assert.Contains("none of the 12 matrices", Assert.Throws<ArgumentException>(() => _ml.Model.CompareSingularVectors(model, "query")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToDocument_SpectralReport_CountsInTheSummaryAndShowsTheMatrices()
    {
        var report = new SpectralReport
        {
            BaseName = "base",
            Method = "lora",
            Matrices = [ReportPicturesTests.Finding(Query, 2), ReportPicturesTests.Finding("roberta.encoder.layer.0.output.dense", 0)],
            Skipped = new Dictionary<string, string> { ["classifier.dense.weight"] = "part of the head" },
            Seconds = 1,
        };

        var document = report.ToDocument([new SingularVectorSimilarity(Query, [[1, 0], [0, 1]])]);

        Assert.Equal(
            "Fine-tuning brought 2 intruder dimensions into 1 of 2 matrices (among the 10 leading singular vectors of each matrix, at a cosine below 0.5).", document.Summary);
        Assert.Equal(2, document.Sections[0].Parts.Count);
        Assert.Contains("part of the head", document.ToMarkdown(), StringComparison.Ordinal);
        Assert.Contains("changed no matrix", (report with { Matrices = [] }).ToDocument().Summary, StringComparison.Ordinal);
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Spectral;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests.Inspection;

public sealed class SpectralCatalogTests
{
    private readonly MLContext _ml = new(1);

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void InspectIntruders_PlantedModel_FindsThemWithTheNumbersOfCompleteDecompositions(FineTuningMethod method)
    {
        using var model = method is FineTuningMethod.Lora ? PlantedModel.Lora() : PlantedModel.Full();

        var report = _ml.Model.InspectIntruders(model);

        Assert.Equal((12, method is FineTuningMethod.Lora ? "lora" : "full"), (report.Matrices.Count, report.Method));
        Assert.All(PlantedModel.Planted, name => Assert.Equal(0, report.Matrices.Single(matrix => matrix.Name == name).Intruders[0]));
        Assert.Equal(report.Matrices.Sum(matrix => matrix.Intruders.Count), report.IntruderCount);
        Assert.Equal(report.IntruderCount, report.IntruderCountAt(0.5, 10));
        Assert.True(report.Seconds > 0);
        PlantedModel.Use(model, classifier =>
        {
            using var scope = NewDisposeScope();
            foreach (var matrix in report.Matrices)
            {
                var (weight, tuned) = (DenseReference.BaseMatrix(classifier, matrix.Name), DenseReference.TunedMatrix(classifier, matrix.Name));
                var (u0, _, _) = linalg.svd(weight, fullMatrices: false);
                var (u, s, _) = linalg.svd(tuned, fullMatrices: false);
                var cosines = u0.t().matmul(u).abs().max(0).values;
                for (var k = 0; k < 10; k++)
                {
                    Assert.Equal(s[k].item<double>(), matrix.SingularValues[k], 1e-6);
                    Assert.Equal(cosines[k].item<double>(), matrix.MaxAbsCosines[k], 1e-4);
                }
                Assert.Equal((tuned - weight).norm().item<double>(), matrix.DeltaFrobenius, 1e-6);
            }
        });
    }

    [Fact]
    public void InspectIntruders_FullFineTuning_SkipsTheRestWithReasons()
    {
        using var model = PlantedModel.Full();

        var skipped = _ml.Model.InspectIntruders(model).Skipped;

        Assert.Contains("embedding", skipped["roberta.embeddings.word_embeddings.weight"], StringComparison.Ordinal);
        Assert.Contains("vector", skipped["roberta.encoder.layer.0.output.dense.bias"], StringComparison.Ordinal);
        Assert.Contains("head", skipped["classifier.out_proj.weight"], StringComparison.Ordinal);
        Assert.DoesNotContain("roberta.encoder.layer.0.output.dense.weight", skipped.Keys);
    }

    [Fact]
    public void InspectIntruders_RescaledChain_ReportsWhatTheRescalingLeft()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        var before = _ml.Model.InspectIntruders(model).Matrices.Single(matrix => matrix.Name == PlantedModel.Query);
        using var first = _ml.Transforms.RescaleIntruderDimensions(0.75).Fit(scored);
        using var second = _ml.Transforms.RescaleIntruderDimensions(0.8).Fit(first.Transform(scored));

        var after = _ml.Model.InspectIntruders(new TransformerChain<ITransformer>(model, first, second)).Matrices.Single(matrix => matrix.Name == PlantedModel.Query);

        // W + (λ − 1) σ u vᵀ has the same singular triples, one of them λ times as long.
        double[] expected = [before.SingularValues[0] * 0.75 * 0.8, .. before.SingularValues.Skip(1)];
        foreach (var (k, value) in expected.OrderDescending().Index()) Assert.Equal(value, after.SingularValues[k], 1e-5);
        Assert.True(after.SingularValues[0] < before.SingularValues[0]);
    }

    [Theory]
    [InlineData(BaseStorage.Embedded)]
    [InlineData(BaseStorage.Reference)]
    public void InspectIntruders_ReloadedModel_ReportsTheSame(BaseStorage storage)
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Lora(options: PlantedModel.Quick() with { BaseStorage = storage });
        _ml.Model.Save(model, null, folder.File("model.mlnet"));
        using var loaded = (TextClassificationTransformer)new MLContext().Model.Load(folder.File("model.mlnet"), out _);

        Assert.Equal(Numbers(_ml.Model.InspectIntruders(model)), Numbers(_ml.Model.InspectIntruders(loaded)));

        static IEnumerable<double> Numbers(SpectralReport report) => report.Matrices.SelectMany(matrix => matrix.SingularValues.Concat(matrix.MaxAbsCosines));
    }

    [Fact]
    public void InspectIntruders_SavedWithoutItsBase_SaysWhatToDoAndTakesTheBase()
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Full(PlantedModel.Quick() with { BaseStorage = BaseStorage.TunedOnly });
        _ml.Model.Save(model, null, folder.File("model.mlnet"));
        using var loaded = (TextClassificationTransformer)new MLContext().Model.Load(folder.File("model.mlnet"), out _);
        using var other = new TemporaryFolder();

        var error = Assert.Throws<InvalidOperationException>(() => _ml.Model.InspectIntruders(loaded));
        var mistaken = Assert.Throws<ArgumentException>(() => _ml.Model.InspectIntruders(
            loaded, new IntruderInspectionOptions { BaseModel = PretrainedModel.FromFolder(TinyCheckpoint.Write(other.FullName, seed: 2)) }));

        Assert.Contains("was saved without its base", error.Message, StringComparison.Ordinal);
        Assert.Contains("BaseModel", error.Message, StringComparison.Ordinal);
        Assert.Contains("The base given is", mistaken.Message, StringComparison.Ordinal);
        var report = _ml.Model.InspectIntruders(loaded, new IntruderInspectionOptions { BaseModel = CapitalTask.Base });
        Assert.Equal(_ml.Model.InspectIntruders(model).IntruderCount, report.IntruderCount);
        // A rescaling needs the base to be fitted, not to score.
        var scored = loaded.Transform(PlantedModel.Data());
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0, BaseModel = CapitalTask.Base }).Fit(scored);
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(scored), PlantedModel.Scores(rescaling.Transform(scored))));
    }

    [Fact]
    public void InspectIntruders_MoreVectorsThanAMatrixHas_CutsThem()
    {
        using var model = PlantedModel.Lora();
        var options = new IntruderInspectionOptions { Spectral = new SpectralSettings { TopK = [100], Epsilon = [0.5, 0.9] }, TargetModules = ["query"] };

        var report = _ml.Model.InspectIntruders(model, options);

        Assert.Equal(2, report.Matrices.Count);
        Assert.All(report.Matrices, matrix => Assert.Equal(32, matrix.SingularValues.Count));
        Assert.True(report.IntruderCountAt(0.9, 100) >= report.IntruderCountAt(0.5, 100));
    }

    [Fact]
    public void InspectIntruders_BadInput_IsNamed()
    {
        using var model = PlantedModel.Lora();
        using var other = PlantedModel.Lora(options: PlantedModel.Quick() with { ScoreColumnName = "OtherScore", OutputColumnName = "OtherLabel" });
        var two = new TransformerChain<ITransformer>(model, other);
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions().Fit(model.Transform(PlantedModel.Data()));
        var mapping = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(CapitalTask.View(_ml, CapitalTask.Rows(5)));
        var faulty = new IntruderInspectionOptions { Spectral = new SpectralSettings { TopK = [0], Epsilon = [1] }, TargetModules = [] };

        var options = Message(() => _ml.Model.InspectIntruders(model, faulty));
        Assert.Contains("TopK holds 0", options, StringComparison.Ordinal);
        Assert.Contains("Epsilon holds 1", options, StringComparison.Ordinal);
        Assert.Contains("TargetModules is empty", options, StringComparison.Ordinal);
        Assert.Contains("'qury' matches no projection", Message(() => _ml.Model.InspectIntruders(model, new IntruderInspectionOptions { TargetModules = ["qury"] })), StringComparison.Ordinal);
        Assert.Contains("holds no fine-tuned text classifier (ValueToKeyMappingTransformer)", Message(() => _ml.Model.InspectIntruders(mapping)), StringComparison.Ordinal);
        Assert.Contains("with the score columns 'Score', 'OtherScore'", Message(() => _ml.Model.InspectIntruders(two)), StringComparison.Ordinal);
        Assert.Contains("score column 'Scores'; there is 'Score', 'OtherScore'", Message(() => _ml.Model.InspectIntruders(two, new IntruderInspectionOptions { ScoreColumnName = "Scores" })), StringComparison.Ordinal);
        Assert.Contains("Give the whole chain", Message(() => _ml.Model.InspectIntruders(rescaling)), StringComparison.Ordinal);
        Assert.Equal(12, _ml.Model.InspectIntruders(two, new IntruderInspectionOptions { ScoreColumnName = "OtherScore" }).Matrices.Count);

        static string Message(Action act) => Assert.Throws<ArgumentException>(act).Message;
    }

    [Fact]
    public void ToDataView_Rows_AreFilteredAndSavedAsText()
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Lora();
        var report = _ml.Model.InspectIntruders(model);

        var rows = report.ToDataView(_ml);
        var strong = _ml.Data.FilterRowsByColumn(rows, nameof(SpectralRow.DeltaFrobenius), lowerBound: PlantedModel.Length / 2);
        using (var stream = File.Create(folder.File("spectrum.tsv"))) _ml.Data.SaveAsText(strong, stream, schema: false);

        Assert.Equal(report.Matrices.Select(matrix => matrix.Name), rows.GetColumn<string>("Name"));
        Assert.Equal(report.Matrices.Select(matrix => matrix.SingularValues), rows.GetColumn<double[]>("SingularValue"));
        Assert.Equal(report.Matrices.Select(matrix => matrix.Intruders.Count), rows.GetColumn<int>("Intruders"));
        Assert.Equal(PlantedModel.Planted, strong.GetColumn<string>("Name"));
        var lines = File.ReadAllLines(folder.File("spectrum.tsv"));
        Assert.Equal(1 + PlantedModel.Planted.Length, lines.Length);
        Assert.All(PlantedModel.Planted, name => Assert.Contains(lines, line => line.StartsWith(name, StringComparison.Ordinal)));
    }

    [Fact]
    public void ToDataView_MatricesOfSeveralSizes_FillsUpWithNaN()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        SpectralFinding Find(string name, int size, int count)
        {
            using var spectrum = new IntruderDetector(new SpectralSettings { TopK = [count] })
                .Analyze(WeightChange.Dense(name, randn([size, size], dtype: float64, device: CPU, generator: generator), randn([size, size], dtype: float64, device: CPU, generator: generator)));
            return spectrum.Finding;
        }
        var report = new SpectralReport { BaseName = "b", Method = "full", Matrices = [Find("small", 3, 3), Find("large", 8, 5)], Skipped = new Dictionary<string, string>(), Seconds = 1 };

        var values = report.ToDataView(_ml).GetColumn<double[]>("SingularValue").ToArray();

        Assert.Equal([3, 5], values.Select(row => row.Count(double.IsFinite)));
        Assert.All(values, row => Assert.Equal(5, row.Length));
    }
}

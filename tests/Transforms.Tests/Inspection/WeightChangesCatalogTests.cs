using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests.Inspection;

public sealed class WeightChangesCatalogTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void OpenWeightChanges_OfARescaledModelDisposedSince_AreThoseThatInspectIntrudersReports()
    {
        var model = PlantedModel.Lora();
        var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(model.Transform(PlantedModel.Data()));
        var chain = new TransformerChain<ITransformer>(model, rescaling);
        var report = _ml.Model.InspectIntruders(chain);

        using var changes = _ml.Model.OpenWeightChanges(chain);
        chain.Dispose();

        using var scope = NewDisposeScope();
        Assert.Equal(report.Matrices.Select(matrix => matrix.Name), changes.Names);
        foreach (var matrix in report.Matrices)
        {
            using var owned = changes.Open(matrix.Name, CPU);
            var delta = owned.Change.B!.to(float64).matmul(owned.Change.A!.to(float64)) * owned.Change.Scale;
            Assert.Equal(matrix.DeltaFrobenius, delta.norm().item<double>(), 1e-6);
        }
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.OpenWeightChanges(chain));
    }

    [Fact]
    public void OpenWeightChanges_OfAFullyTunedModel_WritesItsClassNames()
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Full();

        using (var changes = _ml.Model.OpenWeightChanges(model)) changes.WriteCheckpoint(folder.FullName, _ => null);

        var config = MLNetLoRA.Modeling.EncoderConfig.FromFile(folder.File("config.json"));
        Assert.Equal(CapitalTask.Labels, config.LabelNames!);
    }

    [Fact]
    public void OpenWeightChanges_WithAnotherBase_IsRefused()
    {
        using var model = PlantedModel.Lora();
        Assert.Contains(
            "The base given is 'mini-encoder'",
            Assert.Throws<ArgumentException>(() => _ml.Model.OpenWeightChanges(model, baseModel: PretrainedModel.MiniEncoder)).Message, StringComparison.Ordinal);
    }
}

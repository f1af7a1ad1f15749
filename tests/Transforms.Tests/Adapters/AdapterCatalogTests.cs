using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests.Adapters;

public sealed class AdapterCatalogTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void SaveAdapter_OfALoraModel_ReadBackScoresTheSame()
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Lora();

        _ml.Model.SaveAdapter(model, folder.FullName);

        PlantedModel.AssertClose(PlantedModel.Scores(model.Transform(PlantedModel.Data())), ScoresOf(folder.FullName, model));
        using var adapter = PeftFolder.Read(folder.FullName, CapitalTask.Base.Config, CPU);
        Assert.All(adapter.Factors.Values, factors => Assert.Equal((4, 2.0), (factors.Rank, factors.Scale)));
        PlantedModel.Use(model, classifier => Assert.Equal(classifier.Tuned[$"{PlantedModel.Query}.lora_A.weight"].data<float>().ToArray(), adapter.Factors[PlantedModel.Query].A.data<float>().ToArray()));
    }

    [Fact]
    public void SaveAdapter_OfARescaledModel_HasTheExactFactorsInMatricesOfTheirOwnRank()
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(scored);

        _ml.Model.SaveAdapter(new TransformerChain<ITransformer>(model, rescaling), folder.FullName);

        PlantedModel.AssertClose(PlantedModel.Scores(rescaling.Transform(scored)), ScoresOf(folder.FullName, model));
        using var adapter = PeftFolder.Read(folder.FullName, CapitalTask.Base.Config, CPU);
        Assert.Equal(5, adapter.Factors[PlantedModel.Query].Rank);
        Assert.All(rescaling.Plans, plan => Assert.Equal(4 + plan.Triples.Count, adapter.Factors[plan.Name].Rank));
    }

    [Fact]
    public void SaveAdapter_OfAFullyTunedModel_SaysWhyNot()
    {
        using var folder = new TemporaryFolder();
        using var model = PlantedModel.Full();

        var error = Assert.Throws<InvalidOperationException>(() => _ml.Model.SaveAdapter(model, folder.File("adapter")));

        Assert.Contains("was fine-tuned in full", error.Message, StringComparison.Ordinal);
        Assert.Empty(folder.Names());
    }

    // The base with what the files hold, by the network that reads adapters of any shape.
    private static float[][] ScoresOf(string folder, IFineTunedModel model)
    {
        ClassifierDescription description = null!;
        PlantedModel.Use(model, classifier => description = classifier.Description);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var share = SharedWeights.Acquire(description.Base, CPU);
        using var adapter = PeftFolder.Read(folder, description.Base.Config, CPU);
        var weights = share.Tensors.ToDictionary();
        foreach (var (key, tensor) in adapter.FullyTrained) weights[key] = tensor;
        foreach (var (name, factors) in adapter.Factors) (weights[$"{name}.lora_A.weight"], weights[$"{name}.lora_B.weight"]) = (factors.A, factors.B);
        using var network = new SequenceClassifier(
            new NetworkContext(description.Base.Config, new AdapterProjections(adapter), null), new ParameterSource(weights, CPU, _ => false, null), description.ClassCount);
        network.eval();
        return [.. CapitalTask.Rows(30, 7).Select(row =>
        {
            using var batch = TokenBatch.Create([description.Base.Tokenizer.Encode(row.Sentence1, null, description.MaxTokens)], description.Base.Config, CPU);
            return network.forward(batch).data<float>().ToArray();
        })];
    }
}

using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Checkpoints;

public class CheckpointFolderTests : IDisposable
{
    private static readonly ModelCard Card = new() { FullLearningRate = 3e-5, LoraAlphaTimesLearningRate = 7e-3 };

    private readonly TemporaryFolder _folder = new();

    public CheckpointFolderTests() => TinyCheckpoint.Write(_folder.FullName);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_WeightsThatCannotBeStored_LeavesTheOldModelAsItWas()
    {
        var old = Open();
        using var unwritable = zeros(1, dtype: ScalarType.ComplexFloat32);

        Assert.Throws<ArgumentException>(() => Write(old, [new("roberta.embeddings.word_embeddings.weight", unwritable)], ScalarType.ComplexFloat32));

        Assert.Equal(old.ContentHash, Open().ContentHash);
    }

    [Fact]
    public void Write_WhereTheConfigurationCannotGo_TouchesNothing()
    {
        var old = Open();
        var weights = File.ReadAllBytes(_folder.File("model.safetensors"));
        File.Delete(_folder.File("config.json"));
        Directory.CreateDirectory(_folder.File("config.json"));       // a file cannot take its place

        Assert.Throws<IOException>(() => Write(old, Weights(old)));

        Assert.Equal(weights, File.ReadAllBytes(_folder.File("model.safetensors")));
    }

    [Fact]
    public void Write_OverAnOlderModel_LeavesNoneOfItsFilesInForce()
    {
        var old = Open();
        var weights = Weights(old);
        string[] expected = _folder.Names();
        // A tokenizer.json would win over vocab.json, a card would recommend another model's rates, an index is no longer true.
        foreach (var stale in new[] { "tokenizer.json", "vocab.txt", "added_tokens.json", "fine_tuning.json", "model.safetensors.index.json" })
            _folder.Write(stale, "{}");
        _folder.Write("README.md", "kept");

        Write(old, weights);

        Assert.Equal(expected.Append("README.md").Order(StringComparer.Ordinal), _folder.Names());
        Assert.Equal(old.ContentHash, Open().ContentHash);
    }

    [Fact]
    public void Write_WithACard_KeepsIt_AndWithGeneralAdviceWritesNone()
    {
        var old = Open();
        var weights = Weights(old);

        Write(old, weights, card: Card);
        Assert.Equal(Card, Open().Card);

        Write(old, weights, card: ModelCard.General);
        Assert.False(File.Exists(_folder.File("fine_tuning.json")));
    }

    [Fact]
    public void Write_WithACardOutOfRange_TouchesNothing()
    {
        var old = Open();
        var weights = Weights(old);

        var error = Assert.Throws<ArgumentException>(() => Write(old, weights, card: new ModelCard { FullLearningRate = double.NaN }));

        Assert.Contains("full_learning_rate is NaN", error.Message, StringComparison.Ordinal);
        Assert.Equal(old.ContentHash, Open().ContentHash);
    }

    private PretrainedModel Open() => PretrainedModel.FromFolder(_folder.FullName);

    private void Write(
        PretrainedModel model, IEnumerable<KeyValuePair<string, Tensor>> weights, ScalarType dataType = ScalarType.Float32, ModelCard? card = null) =>
        CheckpointFolder.Write(_folder.FullName, model.Config, model.Tokenizer, weights.ToDictionary(), dataType, "RobertaForMaskedLM", card);

    private static Dictionary<string, Tensor> Weights(PretrainedModel model)
    {
        using var stored = model.OpenWeights();
        return stored.Entries.Keys.ToDictionary(key => key, stored.Read);
    }
}

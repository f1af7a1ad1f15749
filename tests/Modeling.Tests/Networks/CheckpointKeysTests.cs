using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>Checkpoints with other spellings of their keys: the same network, or a clear refusal.</summary>
public class CheckpointKeysTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_NormsCalledGammaAndBeta_GivesReferenceNumbers() => AssertReference(weights => Renamed(weights, key => key
        .Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal)));

    [Fact]
    public void Open_EncoderWithoutPrefix_GivesReferenceNumbers() =>
        AssertReference(weights => Renamed(weights, key => key.StartsWith("bert.", StringComparison.Ordinal) ? key["bert.".Length..] : key));

    [Fact]
    public void Open_CopiesBuffersAndForeignHeads_ArePassedOver() => AssertReference(weights =>
    {
        weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"].clone();
        weights["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"].clone();
        weights["bert.embeddings.position_ids"] = arange(80, device: CPU).unsqueeze(0);
        weights["cls.seq_relationship.weight"] = zeros(2, 64, device: CPU);
        weights["qa_outputs.weight"] = zeros(2, 64, device: CPU);
        return weights;
    });

    [Fact]
    public void Open_HeadsBiasUnderTheDecodersNameAlone_GivesReferenceNumbers() => AssertReference(
        weights => Renamed(weights, key => key.Replace("cls.predictions.bias", "cls.predictions.decoder.bias", StringComparison.Ordinal)));

    [Theory]
    [InlineData("bert.encoder.layer.1.output.LayerNorm.gamma", "bert.encoder.layer.1.output.LayerNorm.weight")]
    [InlineData("bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias")]
    [InlineData("encoder.layer.0.output.dense.bias", "bert.encoder.layer.0.output.dense.bias")]
    public void Open_AParameterInTwoSpellings_IsRefusedWithBoth(string other, string key)
    {
        Write(weights =>
        {
            weights[other] = weights[key].clone();
            return weights;
        });

        var error = Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(_folder.FullName, CPU));

        Assert.StartsWith(_folder.File(Checkpoint.FileName), error.Message, StringComparison.Ordinal);
        Assert.Contains("1 parameters are there in two spellings", error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{other}'", error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{key}'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bert.encoder.layer.3.output.dense.bias")]
    [InlineData("bert.encoder.layer.0.attention.self.distance_embedding.weight")]
    public void Open_AKeyInsideTheLayersWithoutAPlace_IsRefusedByName(string extra)
    {
        Write(weights =>
        {
            weights[extra] = zeros(64, device: CPU);
            return weights;
        });

        var error = Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(_folder.FullName, CPU));

        Assert.Contains($"1 keys that the layers of config.json have no place for ({extra})", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WeightsStoredAsIntegers_AreRefusedByNameAndType()
    {
        Write(weights =>
        {
            weights["bert.encoder.layer.0.output.dense.weight"] = zeros(64, 128, dtype: int8, device: CPU);
            return weights;
        });

        var error = Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(_folder.FullName, CPU));

        Assert.Contains("1 stored as I8 (bert.encoder.layer.0.output.dense.weight; F32, F16, BF16 or F64 were wanted)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Canonical_OfABareDistilBert_HasItsPrefix()
    {
        var config = new EncoderConfig
        {
            Family = ModelFamily.DistilBert, VocabularySize = 10, HiddenSize = 4, LayerCount = 1, HeadCount = 1, IntermediateSize = 4, MaxPositions = 8,
        };

        Assert.Equal("distilbert.transformer.layer.0.ffn.lin1.bias", CheckpointKeys.Canonical("transformer.layer.0.ffn.lin1.bias", config));
        Assert.Equal("distilbert.embeddings.LayerNorm.weight", CheckpointKeys.Canonical("embeddings.LayerNorm.gamma", config));
        Assert.Null(CheckpointKeys.Canonical("vocab_projector.weight", config));
        Assert.Equal("vocab_projector.weight", CheckpointKeys.Canonical("vocab_projector.weight", config with { TieWordEmbeddings = false }));
        Assert.Equal("encoder.layer.0.bias", CheckpointKeys.Canonical("encoder.layer.0.bias", config));
    }

    private void AssertReference(Func<Dictionary<string, Tensor>, Dictionary<string, Tensor>> change)
    {
        Write(change);
        using var expected = ParityFixture.Open(SharedData.Path("bert-tiny-parity"));
        using var network = CheckpointNetwork.Open(_folder.FullName, CPU);
        using var scope = NewDisposeScope();
        var (logits, hidden) = network.Forward(expected.Batch);
        expected.AssertClose("logits", logits, 2e-5);
        expected.AssertClose("last_hidden_state", hidden, 2e-5);
    }

    private void Write(Func<Dictionary<string, Tensor>, Dictionary<string, Tensor>> change)
    {
        var reference = SharedData.Path("bert-tiny-parity");
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(reference);
        File.Copy(Path.Combine(reference, "config.json"), _folder.File("config.json"));
        SafetensorsWriter.Write(_folder.File(Checkpoint.FileName), [.. change(checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key)))]);
    }

    private static Dictionary<string, Tensor> Renamed(Dictionary<string, Tensor> weights, Func<string, string> rename)
    {
        var renamed = weights.ToDictionary(weight => rename(weight.Key), weight => weight.Value);
        Assert.NotEqual(weights.Keys.Order(), renamed.Keys.Order());
        return renamed;
    }
}

using MLNetLoRA.Modeling.Tests.Networks;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

public class DecoderInspectionTests
{
    [Fact]
    public void OfFolder_SoundCheckpoint_CountsWhatItHolds()
    {
        using var folder = new TemporaryFolder();

        var inspection = DecoderInspection.OfFolder(TinyDecoder.Write(folder.FullName));

        Assert.Empty(inspection.Problems);
        Assert.True(inspection.IsUsable);
        // Width 32, keys 16 wide, 48 inside, two layers and a norm.
        const int Layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32 + 2 * 32;
        Assert.Equal((1161 * 32, 2 * Layer + 32, 1161 * 32), (inspection.EmbeddingParameters, inspection.DecoderParameters, inspection.HeadParameters));
        Assert.Equal([new StoredType("F32", 21, inspection.ParameterCount, 4 * inspection.ParameterCount)], inspection.DataTypes);
        Assert.Equal([Checkpoint.FileName], inspection.WeightFiles);
        Assert.Empty(inspection.UnusedKeys);
        Assert.Equal(("llama", 1161), (inspection.Config!.ModelType, inspection.Tokenizer!.VocabularySize));
    }

    [Fact]
    public void OfFolder_SeveralFaults_NamesAll()
    {
        using var folder = new TemporaryFolder();
        TinyDecoder.Write(folder.FullName, change: config => config with { LayerCount = 1 });
        File.WriteAllText(folder.File("config.json"), (TinyDecoder.Config() with { VocabularySize = 1000, TieWordEmbeddings = true }).ToJson());

        var inspection = DecoderInspection.OfFolder(folder.FullName);

        Assert.False(inspection.IsUsable);
        Assert.Collection(inspection.Problems,
            weights => Assert.Contains("9 keys missing (model.layers.1.self_attn.q_proj.weight, …), 1 with another shape: model.embed_tokens.weight is (1161, 32)", weights, StringComparison.Ordinal),
            tokenizer => Assert.Contains("the tokenizer has 1161 entries, config.json says vocab_size 1000", tokenizer, StringComparison.Ordinal));
        Assert.Equal(["lm_head.weight"], inspection.UnusedKeys);
        Assert.Contains("no such folder", Assert.Throws<DirectoryNotFoundException>(() => DecoderInspection.OfFolder("nowhere")).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => TextGenerator.Open(folder.FullName, CPU));
    }
}

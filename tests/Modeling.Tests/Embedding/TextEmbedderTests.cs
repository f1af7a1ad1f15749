using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Embedding;

public sealed class TextEmbedderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Embed_RowBesideALongerOne_IsThatOfTheRowAlone()
    {
        using var embedder = new TextEmbedder(PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName)), CPU);
        var tokenizer = embedder.Model.Tokenizer;
        EncodedText[] rows = [tokenizer.Encode("abc", null, 32), tokenizer.Encode("a longer row than that", null, 32)];
        var width = embedder.Model.Config.HiddenSize;

        var together = embedder.Embed(rows);

        Assert.Equal(embedder.Embed([rows[0]]), together[..width], (one, other) => Math.Abs(one - other) < 1e-5);
        Assert.Equal(embedder.MeanLosses([rows[0]], 4)[0], embedder.MeanLosses(rows, 4)[0], 1e-4);
    }

    [Fact]
    public void MeanLosses_InOnePass_IsRefused()
    {
        using var embedder = new TextEmbedder(PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName)), CPU);

        Assert.Throws<ArgumentOutOfRangeException>(() => embedder.MeanLosses([embedder.Model.Tokenizer.Encode("abc", null, 32)], passes: 1));
    }

    [Fact]
    public void Constructor_ModelWithoutAHead_NamesWhatIsMissingAndLetsGoOfTheWeights()
    {
        TinyCheckpoint.Write(_folder.FullName);
        using (NewDisposeScope())
        {
            List<KeyValuePair<string, Tensor>> kept;
            using (var checkpoint = Checkpoint.Open(_folder.FullName))
                kept = [.. checkpoint.Entries.Keys.Where(key => !key.StartsWith("lm_head.", StringComparison.Ordinal)).Select(key => KeyValuePair.Create(key, checkpoint.Read(key)))];
            SafetensorsWriter.Write(_folder.File(Checkpoint.FileName), kept);
        }
        var model = PretrainedModel.FromFolder(_folder.FullName);

        Assert.Contains("lm_head.dense.weight is missing", Assert.Throws<InvalidDataException>(() => new TextEmbedder(model, CPU)).Message, StringComparison.Ordinal);
    }
}

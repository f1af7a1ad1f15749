using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Changes;

public class MatrixKeysTests
{
    [Theory]
    [InlineData("roberta.encoder.layer.0.attention.self.query.weight")]
    [InlineData("encoder.layer.11.output.dense.weight")]
    [InlineData("model.layers.0.self_attn.q_proj.weight")]
    [InlineData("model.layers.0.mlp.down_proj.weight")]
    [InlineData("transformer.h.0.attn.c_attn.weight")]
    [InlineData("embeddings_project.weight")]
    [InlineData("square.weight")]
    [InlineData("square")]
    public void WhySkipped_LinearMap_IsNull(string key) => Assert.Null(MatrixKeys.WhySkipped(Entry(key)));

    [Theory]
    [InlineData("roberta.embeddings.word_embeddings.weight", "embedding")]
    [InlineData("bert.embeddings.token_type_embeddings.weight", "embedding")]
    [InlineData("embeddings.position_embeddings.weight", "embedding")]
    [InlineData("model.embed_tokens.weight", "embedding")]
    [InlineData("transformer.wte.weight", "embedding")]
    [InlineData("wpe.weight", "embedding")]
    [InlineData("lm_head.weight", "language-model head")]
    [InlineData("lm_head.dense.weight", "language-model head")]
    [InlineData("cls.predictions.transform.dense.weight", "language-model head")]
    [InlineData("classifier.dense.weight", "classification head")]
    [InlineData("score.weight", "classification head")]
    [InlineData("bert.pooler.dense.weight", "classification head")]
    public void WhySkipped_EmbeddingOrHead_SaysWhich(string key, string reason) => Assert.Equal(reason, MatrixKeys.WhySkipped(Entry(key)));

    [Fact]
    public void WhySkipped_NoMatrixOfNumbers_SaysWhat()
    {
        Assert.Equal("vector", MatrixKeys.WhySkipped(Entry("a.weight") with { Shape = [4], ByteCount = 16 }));
        Assert.Equal("(1, 2, 2), no matrix", MatrixKeys.WhySkipped(Entry("a.weight") with { Shape = [1, 2, 2] }));
        Assert.Equal("(0, 2), empty", MatrixKeys.WhySkipped(Entry("a.weight") with { Shape = [0, 2], ByteCount = 0 }));
        Assert.Equal("holds I8, no floating-point numbers", MatrixKeys.WhySkipped(Entry("a.weight") with { DataType = ScalarType.Int8 }));
    }

    private static SafetensorsEntry Entry(string key) => new(key, ScalarType.Float32, [2, 2], 0, 16);
}

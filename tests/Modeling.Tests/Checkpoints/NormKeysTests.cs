namespace MLNetLoRA.Modeling.Tests;

public class NormKeysTests
{
    [Theory]
    [InlineData("bert.encoder.layer.0.output.LayerNorm.gamma", "bert.encoder.layer.0.output.LayerNorm.weight")]
    [InlineData("embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias")]
    [InlineData("embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight")]
    [InlineData("stages.0.layers.1.gamma", "stages.0.layers.1.gamma")]
    [InlineData("some.gammaLayerNorm.gamma.weight", "some.gammaLayerNorm.gamma.weight")]
    public void Today_Key_SpellsOnlyTheNormsAnew(string key, string expected) => Assert.Equal(expected, NormKeys.Today(key));
}

using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

public class ModelCardTests
{
    [Theory]
    [InlineData("""{"full_learning_rate": 0}""", "full_learning_rate is 0")]
    [InlineData("""{"full_learning_rate": 1000.1}""", "full_learning_rate is 1000.1, wanted above 0 and at most 1000")]
    [InlineData("""{"lora_alpha_times_learning_rate": -1}""", "lora_alpha_times_learning_rate is -1")]
    [InlineData("""{"full_learning_rate": 1e300, "lora_alpha_times_learning_rate": 1e300}""", "; lora_alpha_times_learning_rate is 1E+300")]
    [InlineData("null", "it is null")]
    public void FromFolder_RateOutOfRange_IsNamed(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        folder.Write("fine_tuning.json", json);

        var error = Assert.Throws<InvalidDataException>(() => ModelCard.FromFolder(folder.FullName));

        Assert.StartsWith(folder.File("fine_tuning.json"), error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_RatesAtTheLimit_Pass()
    {
        using var folder = new TemporaryFolder();
        folder.Write("fine_tuning.json", """{"full_learning_rate": 1000, "lora_alpha_times_learning_rate": 1000}""");

        Assert.Equal(1000, ModelCard.FromFolder(folder.FullName).FullLearningRate);
    }
}

using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Adapters;

public class LoraLinearTests
{
    private const int Inputs = 12, Outputs = 9;
    private static readonly ProjectionSlot Slot = new("query", Inputs, Outputs, Initialization.Normal(0.5));
    private static readonly LoraOptions Options = new() { Rank = 3, Alpha = 5 };

    [Fact]
    public void Forward_NewAdapter_EqualsBaseExactly()
    {
        using var scope = NewDisposeScope();
        var weights = Weights();
        using var generator = new Generator(2, CPU);
        using var lora = new LoraLinear(Slot, Source(weights, generator), Options, null);
        using var plain = new LinearProjection(Source(weights, generator), Inputs, Outputs, Initialization.Zeros);
        var x = Draw([4, 5, Inputs], generator);

        Assert.True(lora.forward(x).equal(plain.forward(x)).all().item<bool>());
    }

    [Fact]
    public void Forward_TrainedAdapter_EqualsMergedMatrix()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        var weights = Weights();
        weights["lora_A.weight"] = Draw([Options.Rank, Inputs], generator);
        weights["lora_B.weight"] = Draw([Outputs, Options.Rank], generator);
        using var lora = new LoraLinear(Slot, Source(weights, generator), Options, null);
        var x = Draw([7, Inputs], generator);

        var merged = weights["weight"] + weights["lora_B.weight"].matmul(weights["lora_A.weight"]) * (5.0 / 3);
        var expected = x.matmul(merged.transpose(0, 1)) + weights["bias"];

        Assert.InRange((lora.forward(x) - expected).abs().max().item<float>(), 0, 1e-5);
        Assert.True((lora.forward(x) - x.matmul(weights["weight"].transpose(0, 1))).abs().max().item<float>() > 0.1);
    }

    [Fact]
    public void Forward_WithDropout_DropsTheAdaptersInputInTrainingOnly()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4, CPU);
        var weights = Weights();
        weights["lora_A.weight"] = Draw([Options.Rank, Inputs], generator);
        weights["lora_B.weight"] = Draw([Outputs, Options.Rank], generator);
        using var lora = new LoraLinear(Slot, Source(weights, generator), Options with { Dropout = 0.5 }, new RandomDropout(generator));
        var x = Draw([7, Inputs], generator);

        lora.train();
        var first = lora.forward(x);
        Assert.False(first.allclose(lora.forward(x)));
        lora.eval();
        Assert.True(lora.forward(x).equal(lora.forward(x)).all().item<bool>());
    }

    [Fact]
    public void Parameters_AreNamedAsPeftNamesThem()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5, CPU);
        using var lora = new LoraLinear(Slot, Source(Weights(), generator), Options, null);

        Assert.Equal(
            ["base_layer.bias", "base_layer.weight", "lora_A.weight", "lora_B.weight"],
            lora.named_parameters().Select(parameter => parameter.name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void NewAdapter_DrawsAUniformlyAndLeavesBZero()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(6, CPU);
        var wide = new ProjectionSlot("query", 400, 400, Initialization.Zeros);
        using var lora = new LoraLinear(wide, new ParameterSource(new Dictionary<string, Tensor>(), CPU, _ => true, generator), Options with { Rank = 64 }, null);
        var parameters = lora.named_parameters().ToDictionary(parameter => parameter.name, parameter => parameter.parameter);

        // Uniform in ±b has standard deviation b / √3, and b is 1 / √400.
        var a = parameters["lora_A.weight"];
        Assert.Equal(0.05 / Math.Sqrt(3), a.std().item<float>(), 1e-3);
        Assert.InRange(a.abs().max().item<float>(), 0.049, 0.05);
        Assert.Equal(0, parameters["lora_B.weight"].abs().max().item<float>());
    }

    [Fact]
    public void NewAdapter_Gaussian_HasTheDeviationOfPeft()
    {
        using var scope = NewDisposeScope();
        var a = NewA(400, 64, LoraInitialization.Gaussian);

        Assert.Equal(1 / 64.0, a.std().item<float>(), 2e-4);
        Assert.InRange(a.abs().max().item<float>(), 3 / 64.0, 6 / 64.0);
    }

    [Theory]
    [InlineData(40, 8)]
    [InlineData(12, 12)]
    [InlineData(5, 1)]
    public void NewAdapter_Orthogonal_HasOrthonormalRows(int inputs, int rank)
    {
        using var scope = NewDisposeScope();
        var a = NewA(inputs, rank, LoraInitialization.Orthogonal).to_type(ScalarType.Float64);

        Assert.InRange((a.matmul(a.transpose(0, 1)) - eye(rank, dtype: ScalarType.Float64, device: CPU)).abs().max().item<double>(), 0, 1e-6);
    }

    [Fact]
    public void NewAdapter_Orthogonal_PrefersNoSign()
    {
        // A row of length 1 in two dimensions lies in each half plane equally often; plain QR would fix a sign.
        using var scope = NewDisposeScope();
        using var generator = new Generator(7, CPU);
        var positive = Enumerable.Range(0, 200).Count(_ => Initialization.OrthonormalRows.Draw([1, 2], CPU, generator)[0, 0].item<float>() > 0);

        Assert.InRange(positive, 70, 130);          // 4 standard deviations around 100
    }

    private static Tensor NewA(int inputs, int rank, LoraInitialization initialization)
    {
        using var generator = new Generator(6, CPU);
        var slot = new ProjectionSlot("query", inputs, inputs, Initialization.Zeros);
        var source = new ParameterSource(new Dictionary<string, Tensor>(), CPU, _ => true, generator);
        using var lora = new LoraLinear(slot, source, new LoraOptions { Rank = rank, Initialization = initialization }, null);
        return lora.named_parameters().Single(parameter => parameter.name == "lora_A.weight").parameter.detach().clone();
    }

    private static Dictionary<string, Tensor> Weights()
    {
        using var generator = new Generator(1, CPU);
        return new() { ["weight"] = Draw([Outputs, Inputs], generator), ["bias"] = Draw([Outputs], generator) };
    }

    private static Tensor Draw(long[] shape, Generator generator) => randn(shape, device: CPU, generator: generator);

    private static ParameterSource Source(IReadOnlyDictionary<string, Tensor> weights, Generator generator) => new(weights, CPU, _ => false, generator);
}

/// <summary>Adapters in a whole network.</summary>
public class LoraProjectionsTests
{
    [Theory]
    [InlineData("query", "attention.output.dense")]
    [InlineData("all-linear")]
    [InlineData("intermediate.dense", "output.dense")]
    public void Network_HasAdaptersInTargetedSlotsOnly(params string[] targets)
    {
        using var folder = new TemporaryFolder();
        TinyModel.WriteTokenizer(folder.FullName);
        var config = EncoderConfig.FromFile(TinyModel.WriteConfig(folder.FullName));
        var options = new LoraOptions { Rank = 4, TargetModules = targets };
        using var generator = new Generator(1, CPU);
        var source = new ParameterSource(new Dictionary<string, Tensor>(), CPU, LoraProjections.IsAdapterKey, generator);
        using var network = new SequenceClassifier(new NetworkContext(config, new LoraProjections(options), null), source, classCount: 3);

        var slots = SequenceClassifier.Slots(config).Where(slot => targets.Contains("all-linear") || targets.Contains(slot.Target)).ToArray();
        // "output.dense" ends "attention.output.dense" too, so whole paths are compared.
        var expected = slots.SelectMany(slot => Enumerable.Range(0, config.LayerCount).SelectMany(layer =>
        {
            var place = slot.Target is "query" or "key" or "value" ? $"attention.self.{slot.Target}" : slot.Target;
            return new[] { $"roberta.encoder.layer.{layer}.{place}.lora_A.weight", $"roberta.encoder.layer.{layer}.{place}.lora_B.weight" };
        }));
        Assert.Equal(
            expected.Order(StringComparer.Ordinal),
            network.named_parameters().Where(parameter => parameter.parameter.requires_grad).Select(parameter => parameter.name).Order(StringComparer.Ordinal));

        // rank · (in + out) for each matrix of each layer
        Assert.Equal(
            slots.Sum(slot => 4L * (slot.Inputs + slot.Outputs)) * config.LayerCount,
            network.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel()));
    }
}

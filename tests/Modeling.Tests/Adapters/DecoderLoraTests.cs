using MLNetLoRA.Modeling.Tests.Networks;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Adapters;

/// <summary>Adapters sit in a decoder as they do in an encoder, under PEFT's names.</summary>
public class DecoderLoraTests
{
    private static readonly string[] Targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    public static TheoryData<string> Families => ["llama", "mistral", "qwen2"];

    [Theory]
    [MemberData(nameof(Families))]
    public void NewAdapter_EqualsTheBaseExactly(string family)
    {
        using var scope = NewDisposeScope();
        var config = TinyDecoder.Config(family);
        using var plain = TinyDecoder.Draw(config, new PlainProjections());
        using var adapted = TinyDecoder.Draw(config, new LoraProjections(new LoraOptions()), weights: WeightsOf(plain));
        using var batch = CausalBatch.Create([[5, 80, 300, 7]], config, CPU);

        Assert.True(plain.forward(batch).equal(adapted.forward(batch)).all().item<bool>());
        Assert.Equal(
            Enumerable.Range(0, config.LayerCount).SelectMany(n => Targets.Select(target => $"model.layers.{n}.{(target[1] == '_' ? "self_attn" : "mlp")}.{target}"))
                .Order(StringComparer.Ordinal),
            adapted.named_parameters().Select(parameter => parameter.name).Where(name => name.EndsWith(".lora_A.weight", StringComparison.Ordinal))
                .Select(name => name[..^".lora_A.weight".Length]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Backward_ReachesEveryAdapterAndNothingElse(string family)
    {
        using var scope = NewDisposeScope();
        var config = TinyDecoder.Config(family);
        using var network = TinyDecoder.Draw(config, new LoraProjections(new LoraOptions { Rank = 2 }), LoraProjections.IsAdapterKey);
        using (no_grad())
        {
            // While B is zero, no gradient comes through it to A.
            foreach (var (name, parameter) in network.named_parameters())
                if (name.EndsWith(".lora_B.weight", StringComparison.Ordinal)) parameter.fill_(0.01);
        }
        using var batch = CausalBatch.Create([[5, 80, 300, 7], [9, 1000, 3]], config, CPU);

        NextTokenLoss.Mean(network.forward(batch), batch.Labels()).backward();

        foreach (var (name, parameter) in network.named_parameters())
        {
            Assert.Equal(LoraProjections.IsAdapterKey(name), parameter.grad is not null);
            if (parameter.grad is { } gradient) Assert.True(gradient.abs().max().item<float>() > 0, name);
        }
    }

    [Fact]
    public void Gradient_OfAnAdapter_IsTheDifferenceQuotient()
    {
        using var scope = NewDisposeScope();
        var config = TinyDecoder.Config("mistral") with { InitializerRange = 0.1 };
        var projections = new LoraProjections(new LoraOptions { Rank = 2 });
        using var single = TinyDecoder.Draw(config, projections);
        var weights = WeightsOf(single).ToDictionary(weight => LoraProjections.CheckpointKey(weight.Key), weight => weight.Value.to(float64));
        using var network = TinyDecoder.Draw(config, projections, LoraProjections.IsAdapterKey, weights);
        using var batch = CausalBatch.Create([[5, 80, 300, 7, 12, 900, 4, 2]], config, CPU);
        var parameter = network.named_parameters().Single(one => one.name == "model.layers.0.self_attn.k_proj.lora_B.weight").parameter;
        Loss().backward();
        var gradient = parameter.grad![3, 1].item<double>();

        const double Step = 1e-3;
        var (above, below) = (At(Step), At(-Step));

        Assert.True(Math.Abs(gradient) > 1e-6);
        Assert.Equal(gradient, (above - below) / (2 * Step), 1e-4 * Math.Abs(gradient));

        Tensor Loss() => NextTokenLoss.Mean(network.forward(batch), batch.Labels());

        double At(double value)
        {
            using var _ = no_grad();
            parameter[3, 1] = tensor(value, dtype: float64, device: CPU);
            return Loss().item<double>();
        }
    }

    [Fact]
    public void PeftFolder_WrittenAndOpenedOverItsBase_GivesTheMergedWeightsLogits()
    {
        using TemporaryFolder folder = new(), adapterFolder = new(), merged = new();
        using var scope = NewDisposeScope();
        TinyDecoder.Write(folder.FullName);
        var config = TinyDecoder.Config();
        using var generator = new Generator(4, CPU);
        string[] modules = ["model.layers.0.self_attn.k_proj", "model.layers.1.mlp.down_proj"];
        var factors = new Dictionary<string, LoraFactors>
        {
            [modules[0]] = new(randn([2, 32], generator: generator, device: CPU), randn([16, 2], generator: generator, device: CPU), 0.5),
            [modules[1]] = new(randn([3, 48], generator: generator, device: CPU), randn([32, 3], generator: generator, device: CPU), 0.25),
        };
        using var adapter = new LoraAdapter(factors, new Dictionary<string, Tensor>());
        PeftFolder.Write(adapterFolder.FullName, adapter, config, "tiny");

        using (var file = Checkpoint.Open(Path.Combine(adapterFolder.FullName, "adapter_model.safetensors")))
            Assert.Contains("base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight", file.Entries.Keys);
        Assert.Contains("CAUSAL_LM", File.ReadAllText(adapterFolder.File("adapter_config.json")), StringComparison.Ordinal);
        File.Copy(folder.File("config.json"), merged.File("config.json"));
        using (var checkpoint = Checkpoint.Open(folder.FullName))
        {
            var weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
            foreach (var module in modules)
                weights[$"{module}.weight"] = weights[$"{module}.weight"] + factors[module].B.matmul(factors[module].A) * factors[module].Scale;
            SafetensorsWriter.Write(merged.File(Checkpoint.FileName), [.. weights]);
        }

        var difference = Logits(folder.FullName, adapterFolder.FullName) - Logits(merged.FullName, null);
        Assert.InRange(difference.abs().max().item<float>(), 0, 1e-3);
        Assert.True((Logits(folder.FullName, null) - Logits(merged.FullName, null)).abs().max().item<float>() > 0.1);
    }

    [Fact]
    public void Open_AdapterOfAnotherBase_IsRefusedByModule()
    {
        using TemporaryFolder folder = new(), adapterFolder = new();
        using var scope = NewDisposeScope();
        TinyDecoder.Write(folder.FullName);
        using var adapter = new LoraAdapter(
            new Dictionary<string, LoraFactors> { ["model.layers.0.self_attn.k_proj"] = new(ones([1, 32], device: CPU), ones([32, 1], device: CPU), 1) }, new Dictionary<string, Tensor>());
        PeftFolder.Write(adapterFolder.FullName, adapter, TinyDecoder.Config(), "other");

        Assert.EndsWith(
            "the adapter was made for another base: 'model.layers.0.self_attn.k_proj' changes a (32, 32) matrix, the base's is (16, 32).",
            Assert.Throws<InvalidDataException>(() => DecoderNetwork.Open(folder.FullName, CPU, adapterFolder.FullName)).Message, StringComparison.Ordinal);
    }

    private static Tensor Logits(string folder, string? adapter)
    {
        using var network = DecoderNetwork.Open(folder, CPU, adapter);
        using var batch = CausalBatch.Create([[5, 80, 300, 7, 12]], network.Config, CPU);
        var (logits, hidden) = network.Forward(batch);
        hidden.Dispose();
        return logits;
    }

    private static Dictionary<string, Tensor> WeightsOf(nn.Module network) =>
        network.named_parameters().ToDictionary(parameter => parameter.name, parameter => (Tensor)parameter.parameter);
}

using System.Text.Json.Nodes;
using MLNetLoRA.Modeling.Tests.Networks;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Adapters;

public class PeftFolderTests
{
    internal static readonly EncoderConfig Config = TinyConfig();
    private const string Query = "roberta.encoder.layer.0.attention.self.query";
    private const string Output = "roberta.encoder.layer.1.output.dense";

    [Fact]
    public void Read_AdapterThatPeftWrote_GivesReferenceLogits()
    {
        var folder = SharedData.Path("roberta-tiny-parity");
        var adapterFolder = Path.Combine(folder, "adapter");
        using var parity = ParityFixture.Open(folder);
        using var network = CheckpointNetwork.Open(folder, CPU, adapterFolder);
        using var expected = SafetensorsFile.Open(Path.Combine(adapterFolder, "expected.safetensors"));
        using var scope = NewDisposeScope();

        var (logits, _) = network.Forward(parity.Batch);

        parity.AssertClose(expected.Read("logits"), logits, 2e-5);
    }

    [Fact]
    public void WriteThenRead_RanksAndScalesThatDiffer_GivesTheSameChange()
    {
        using var folder = new TemporaryFolder();
        using var adapter = Adapter();
        PeftFolder.Write(folder.FullName, adapter, Config, "tiny", dropout: 0.1);

        using var read = PeftFolder.Read(folder.FullName, Config, CPU);

        using var scope = NewDisposeScope();
        Assert.Equal(adapter.Factors.Keys.Order(), read.Factors.Keys.Order());
        foreach (var (module, factors) in adapter.Factors)
        {
            var difference = Change(factors) - Change(read.Factors[module]);
            Assert.InRange(difference.abs().max().item<float>(), 0, 1e-6);
        }
        Assert.Equal(["classifier.out_proj.bias"], read.FullyTrained.Keys);
        Assert.Equal([1f, 2f], read.FullyTrained["classifier.out_proj.bias"].data<float>().ToArray());
    }

    [Fact]
    public void Write_RanksAndScalesThatDiffer_NamesThemByPattern()
    {
        using var folder = new TemporaryFolder();
        using var adapter = Adapter();

        PeftFolder.Write(folder.FullName, adapter, Config, "tiny", dropout: 0.1);

        var config = JsonNode.Parse(File.ReadAllText(folder.File("adapter_config.json")))!;
        Assert.Equal(2, (int)config["r"]!);
        Assert.Equal(4.0, (double)config["lora_alpha"]!);
        Assert.Equal(0.1, (double)config["lora_dropout"]!);
        Assert.Equal("tiny", (string)config["base_model_name_or_path"]!);
        Assert.Equal([Query, Query.Replace("query", "value"), Output], config["target_modules"]!.AsArray().Select(name => (string)name!));
        Assert.Equal($$"""{"{{Output}}":3}""", config["rank_pattern"]!.ToJsonString());
        Assert.Equal($$"""{"{{Output}}":1.5}""", config["alpha_pattern"]!.ToJsonString());
        Assert.Equal("""["classifier"]""", config["modules_to_save"]!.ToJsonString());
        Assert.Equal("SEQ_CLS", (string)config["task_type"]!);
    }

    [Fact]
    public void Read_RankStabilized_DividesByTheRoot()
    {
        using var folder = Written(config => config["use_rslora"] = true);

        using var read = PeftFolder.Read(folder.FullName, Config, CPU);

        Assert.Equal(4 / Math.Sqrt(2), read.Factors[Query].Scale, 1e-12);
    }

    [Theory]
    [InlineData("value", "query", 2)]                                       // matches the other module
    [InlineData("query", "query", 5)]                                       // by the end of the name
    [InlineData("self.query", "query", 5)]
    [InlineData(@"layer\.\d+\.attention\.self\.query", "query", 5)]         // as a regular expression, from a dot on
    [InlineData("uery", "query", 2)]                                        // not from the middle of a name
    public void Read_AlphaPattern_MatchesAsPeftDoes(string pattern, string module, double scale)
    {
        using var folder = Written(config => config["alpha_pattern"] = new JsonObject { [pattern] = 10, [Output] = 1.5 });

        using var read = PeftFolder.Read(folder.FullName, Config, CPU);

        Assert.Equal(scale, read.Factors[Query.Replace("query", module)].Scale);
    }

    [Fact]
    public void Read_NamesOfABareEncoder_ArePutUnderTheFamilysPrefix()
    {
        using var folder = new TemporaryFolder();
        using var adapter = Bare();
        PeftFolder.Write(folder.FullName, adapter, Config, "tiny");

        using var read = PeftFolder.Read(folder.FullName, Config, CPU);

        Assert.Equal([Query], read.Factors.Keys);
    }

    [Theory]
    [InlineData("peft_type", "\"IA3\"", "peft_type is 'IA3'; only LORA is supported")]
    [InlineData("use_dora", "true", "use_dora is set")]
    [InlineData("use_qalora", "true", "use_qalora is set")]
    [InlineData("alora_invocation_tokens", "[1, 2]", "alora_invocation_tokens is set")]
    [InlineData("lora_bias", "true", "lora_bias is set")]
    [InlineData("bias", "\"all\"", "bias is 'all'; only none is supported")]
    [InlineData("init_lora_weights", "\"pissa_niter_4\"", "init_lora_weights is 'pissa_niter_4', which changed the base as well")]
    [InlineData("r", "0", "a rank is 0; use a whole number from 1 to 65,536")]
    [InlineData("r", "\"8\"", "r is a string; a whole number was wanted")]
    [InlineData("r", "7", "has rank 2, adapter_config.json says 7")]
    [InlineData("rank_pattern", "{\"(\": 3}", "rank_pattern.'(' is no module name and no regular expression")]
    [InlineData("rank_pattern", "[3]", "rank_pattern is an array; an object of numbers by module name was wanted")]
    [InlineData("rank_pattern", "{\"dense\": 2.5}", "a rank is 2.5")]
    [InlineData("lora_alpha", "1e12", "an alpha is 1000000000000")]
    [InlineData("modules_to_save", "null", "'base_model.model.classifier.out_proj.bias' is neither a LoRA factor nor in modules_to_save")]
    public void Read_SettingThatChangesTheMathematics_IsRefusedByName(string key, string value, string expected)
    {
        using var folder = Written(config => config[key] = JsonNode.Parse(value));

        var fault = Assert.Throws<InvalidDataException>(() => PeftFolder.Read(folder.FullName, Config, CPU));

        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_HalfAPairAndForeignTensors_NamesThemAll()
    {
        using var folder = Written(_ => { });
        using var one = ones(2, 64, device: CPU);
        SafetensorsWriter.Write(folder.File("adapter_model.safetensors"),
        [
            KeyValuePair.Create($"base_model.model.{Query}.lora_A.weight", one),
            KeyValuePair.Create($"base_model.model.{Query}.lora_magnitude_vector", one),
            KeyValuePair.Create("../evil", one),
        ]);

        var fault = Assert.Throws<InvalidDataException>(() => PeftFolder.Read(folder.FullName, Config, CPU));

        Assert.Contains($"'{Query}' has no lora_B", fault.Message, StringComparison.Ordinal);
        Assert.Contains("lora_magnitude_vector' is a part of LoRA that is not supported", fault.Message, StringComparison.Ordinal);
        Assert.Contains("'../evil' does not begin with 'base_model.model.'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_FactorsThatDoNotMeet_NamesTheirShapes()
    {
        using var folder = Written(_ => { });
        using var a = ones(2, 64, device: CPU);
        using var b = ones(64, 3, device: CPU);
        SafetensorsWriter.Write(folder.File("adapter_model.safetensors"),
        [
            KeyValuePair.Create($"base_model.model.{Query}.lora_A.weight", a),
            KeyValuePair.Create($"base_model.model.{Query}.lora_B.weight", b),
        ]);

        var fault = Assert.Throws<InvalidDataException>(() => PeftFolder.Read(folder.FullName, Config, CPU));

        Assert.Contains("lora_A (2, 64) and lora_B (64, 3); (rank, in) and (out, rank) were wanted", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_PickleOnly_SaysHowToConvert()
    {
        using var folder = Written(_ => { });
        File.Move(folder.File("adapter_model.safetensors"), folder.File("adapter_model.bin"));

        var fault = Assert.Throws<InvalidDataException>(() => PeftFolder.Read(folder.FullName, Config, CPU));

        Assert.Contains("Python pickle", fault.Message, StringComparison.Ordinal);
        Assert.Contains("safe_serialization=True", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AdapterOfAnotherBase_ListsWhatDoesNotFit()
    {
        using var baseFolder = new TemporaryFolder();
        TinyCheckpoint.Write(baseFolder.FullName);
        using var folder = new TemporaryFolder();
        using var adapter = new LoraAdapter(
            new Dictionary<string, LoraFactors>
            {
                ["roberta.encoder.layer.99.attention.self.query"] = new(ones(2, 64, device: CPU), zeros(64, 2, device: CPU), 1),
                [Query] = new(ones(2, 63, device: CPU), zeros(64, 2, device: CPU), 1),
            },
            new Dictionary<string, Tensor>());
        PeftFolder.Write(folder.FullName, adapter, Config, "tiny");

        var fault = Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(baseFolder.FullName, CPU, folder.FullName));

        Assert.Contains("the adapter was made for another base", fault.Message, StringComparison.Ordinal);
        Assert.Contains("layer.99.attention.self.query' is no matrix of the base", fault.Message, StringComparison.Ordinal);
        Assert.Contains($"'{Query}' changes a (64, 63) matrix", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_WithoutFactors_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var adapter = new LoraAdapter(new Dictionary<string, LoraFactors>(), new Dictionary<string, Tensor>());

        Assert.Throws<ArgumentException>(() => PeftFolder.Write(folder.File("new"), adapter, Config, "tiny"));
        Assert.False(Directory.Exists(folder.File("new")));
    }

    private static Tensor Change(LoraFactors factors) => factors.B.matmul(factors.A) * factors.Scale;

    // Two matrices of rank 2 at alpha 4, one of rank 3 at alpha 1.5, and half a head.
    private static LoraAdapter Adapter()
    {
        using var generator = new Generator(5, CPU);
        LoraFactors Draw(int rank, int inputs, int outputs, double scale) => new(
            randn(rank, inputs, device: CPU, generator: generator), randn(outputs, rank, device: CPU, generator: generator), scale);
        return new LoraAdapter(
            new Dictionary<string, LoraFactors>
            {
                [Query] = Draw(2, 64, 64, 2),
                [Query.Replace("query", "value")] = Draw(2, 64, 64, 2),
                [Output] = Draw(3, 128, 64, 0.5),
            },
            new Dictionary<string, Tensor> { ["classifier.out_proj.bias"] = tensor(new[] { 1f, 2f }, device: CPU) });
    }

    private static LoraAdapter Bare() => new(
        new Dictionary<string, LoraFactors>
        {
            [Query["roberta.".Length..]] = new(ones(2, 64, device: CPU), zeros(64, 2, device: CPU), 1),
        },
        new Dictionary<string, Tensor>());

    internal static TemporaryFolder Written(Action<JsonNode> change)
    {
        var folder = new TemporaryFolder();
        using var adapter = Adapter();
        PeftFolder.Write(folder.FullName, adapter, Config, "tiny");
        var path = folder.File("adapter_config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        change(config);
        File.WriteAllText(path, config.ToJsonString());
        return folder;
    }

    private static EncoderConfig TinyConfig() => new()
    {
        Family = ModelFamily.Roberta,
        VocabularySize = 300,
        HiddenSize = 64,
        LayerCount = 2,
        HeadCount = 4,
        IntermediateSize = 128,
        MaxPositions = 80,
        TypeVocabularySize = 1,
    };
}

[Collection(ProcessWide.Name)]
public class PeftFolderLeakTests
{
    [Fact]
    public void Read_ThenDispose_LeavesNoTensor()
    {
        using var folder = PeftFolderTests.Written(_ => { });
        var before = LiveTensors.Settled();

        PeftFolder.Read(folder.FullName, PeftFolderTests.Config, CPU).Dispose();

        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void Read_TensorThatIsNotANumber_LeavesNoTensor()
    {
        using var folder = PeftFolderTests.Written(_ => { });
        using (var file = Checkpoint.Open(folder.File("adapter_model.safetensors")))
        {
            using var scope = NewDisposeScope();
            var tensors = file.Entries.Keys.ToDictionary(key => key, key => file.Read(key));
            tensors.Values.First()[0] = float.NaN;
            file.Dispose();
            SafetensorsWriter.Write(folder.File("adapter_model.safetensors"), [.. tensors]);
        }
        var before = LiveTensors.Settled();

        var fault = Assert.Throws<InvalidDataException>(() => PeftFolder.Read(folder.FullName, PeftFolderTests.Config, CPU));

        Assert.Contains("NaN or infinite", fault.Message, StringComparison.Ordinal);
        Assert.Equal(before, LiveTensors.Now);
    }
}

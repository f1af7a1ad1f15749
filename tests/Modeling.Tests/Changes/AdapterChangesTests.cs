using System.Text.Json.Nodes;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Changes;

public sealed class AdapterChangesTests : IDisposable
{
    private const string Up = "layers.0.mlp.up_proj";
    private static readonly long[] UpShape = [6, 4];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model.layers.0.mlp.up_proj", "model.layers.0.mlp.up_proj")]
    [InlineData("model.layers.0.mlp.up_proj", "layers.0.mlp.up_proj")]
    [InlineData("layers.0.mlp.up_proj", "model.layers.0.mlp.up_proj")]
    public void Open_PrefixOfEitherSide_FindsTheMatrix(string inBase, string inAdapter)
    {
        using var changes = AdapterChanges.Open(Base((inBase + ".weight", UpShape), ("other.layers.1.mlp.up_proj.weight", UpShape)), Adapter((inAdapter, UpShape)));

        Assert.Equal([inBase], changes.Names);
        using var opened = changes.Open(inBase, CPU);
        Assert.Equal((6L, 4L, true, 2.0), (opened.Change.Rows, opened.Change.Columns, opened.Change.IsLowRank, opened.Change.Scale));
    }

    [Fact]
    public void Open_ModuleThatMayMeanSeveral_NamesThem()
    {
        var fault = Assert.Throws<InvalidDataException>(() => AdapterChanges.Open(
            Base(("encoder.layers.0.mlp.up_proj.weight", UpShape), ("decoder.layers.0.mlp.up_proj.weight", UpShape)), Adapter((Up, UpShape))));

        Assert.Contains(
            $"'{Up}' may be any of 'decoder.layers.0.mlp.up_proj.weight', 'encoder.layers.0.mlp.up_proj.weight'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AdapterOfAnotherBase_SaysAllThatDoesNotFit()
    {
        var fault = Assert.Throws<InvalidDataException>(() => AdapterChanges.Open(
            Base(($"model.{Up}.weight", [6, 5])), Adapter((Up, UpShape), ("layers.9.mlp.up_proj", UpShape))));

        Assert.Contains($"'{Up}' changes a (6, 4) matrix, the base's is (6, 5)", fault.Message, StringComparison.Ordinal);
        Assert.Contains("'layers.9.mlp.up_proj' is no matrix of the base", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TwoModulesOfOneMatrix_AreRefused()
    {
        var fault = Assert.Throws<InvalidDataException>(() => AdapterChanges.Open(Base(($"model.{Up}.weight", UpShape)), Adapter((Up, UpShape), ($"model.{Up}", UpShape))));

        Assert.Contains($"both mean 'model.{Up}.weight'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_BaseThatIsTransposed_IsRefused()
    {
        var adapter = Adapter((Up, UpShape));
        Change(adapter, config => config["fan_in_fan_out"] = true);

        Assert.Contains(
            "fan_in_fan_out is set",
            Assert.Throws<InvalidDataException>(() => AdapterChanges.Open(Base(($"{Up}.weight", UpShape)), adapter)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AdapterOfAHeadToo_SkipsIt()
    {
        using var changes = AdapterChanges.Open(Base(($"{Up}.weight", UpShape), ("lm_head.weight", [9, 4])), Adapter((Up, UpShape), ("lm_head", [9, 4])));

        Assert.Equal([Up], changes.Names);
        Assert.Equal("language-model head", changes.Skipped["lm_head.weight"]);
    }

    [Fact]
    public void Write_NoOtherFactors_CopiesEveryByte()
    {
        var adapter = Adapter((Up, UpShape));
        File.WriteAllText(Path.Combine(adapter, "tokenizer.json"), "{}");
        using var changes = AdapterChanges.Open(Base(($"{Up}.weight", UpShape)), adapter);

        changes.Write(_folder.File("out"), new Dictionary<string, LoraFactors>());

        foreach (var name in new[] { "adapter_config.json", "adapter_model.safetensors", "tokenizer.json" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(adapter, name)), File.ReadAllBytes(Path.Combine(_folder.File("out"), name)));
    }

    [Fact]
    public void Write_OtherFactors_KeepsNamesHeadAndNotesOfTheAdapter()
    {
        var adapter = Adapter((Up, UpShape), ("layers.1.mlp.up_proj", UpShape));
        Change(adapter, config => config["task_type"] = "CAUSAL_LM");
        using var changes = AdapterChanges.Open(Base(($"model.{Up}.weight", UpShape), ("model.layers.1.mlp.up_proj.weight", UpShape)), adapter);
        using var scope = NewDisposeScope();

        changes.Write(_folder.File("out"), new Dictionary<string, LoraFactors> { [$"model.{Up}"] = new(full([3, 4], 2f, device: CPU), full([6, 3], 3f, device: CPU), 0.5) });

        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.File("out"), "adapter_config.json")))!;
        Assert.Equal("CAUSAL_LM", (string)config["task_type"]!);
        Assert.Equal("base", (string)config["base_model_name_or_path"]!);
        Assert.Equal("""["score"]""", config["modules_to_save"]!.ToJsonString());
        using var before = Checkpoint.Open(Path.Combine(adapter, "adapter_model.safetensors"));
        using var after = Checkpoint.Open(Path.Combine(_folder.File("out"), "adapter_model.safetensors"));
        Assert.Equal(before.Entries.Keys.Order(), after.Entries.Keys.Order());
        foreach (var key in before.Entries.Keys.Where(key => !key.Contains(Up)))
            Assert.True(before.Read(key).equal(after.Read(key)).all().item<bool>(), key);
        using var again = AdapterChanges.Open(_folder.File("base.safetensors"), _folder.File("out"));
        using var opened = again.Open($"model.{Up}", CPU);
        Assert.Equal((3L, 0.5), (opened.Change.A!.shape[0], opened.Change.Scale));
        Assert.Equal(2f, opened.Change.A.min().item<float>());
    }

    [Fact]
    public void Write_NameThatIsNotTheAdapters_IsRefused()
    {
        using var changes = AdapterChanges.Open(Base(($"{Up}.weight", UpShape)), Adapter((Up, UpShape)));
        using var one = ones(1, 1, device: CPU);

        Assert.Throws<ArgumentException>(() => changes.Write(_folder.File("out"), new Dictionary<string, LoraFactors> { ["other"] = new(one, one, 1) }));
        Assert.False(Directory.Exists(_folder.File("out")));
    }

    private string Base(params (string, long[])[] tensors) => TensorFile.Write(_folder.File("base.safetensors"), 1, tensors);

    // Rank 2, scale 2, and a head trained in full.
    private string Adapter(params (string Module, long[] Shape)[] modules)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        var folder = Directory.CreateDirectory(_folder.File("adapter")).FullName;
        PeftFolder.WriteFiles(
            folder,
            new LoraAdapter(
                modules.ToDictionary(one => one.Module, one => new LoraFactors(
                    randn(2, one.Shape[1], device: CPU, generator: generator), randn(one.Shape[0], 2, device: CPU, generator: generator), 2)),
                new Dictionary<string, Tensor> { ["score.weight"] = ones(2, 4, device: CPU) }),
            ["score"], new PeftNotes("base", 0, null));
        return folder;
    }

    private static void Change(string adapter, Action<JsonNode> change)
    {
        var path = Path.Combine(adapter, "adapter_config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        change(config);
        File.WriteAllText(path, config.ToJsonString());
    }
}

[Collection(ProcessWide.Name)]
public class AdapterChangesLeakTests
{
    [Fact]
    public void OpenAndWrite_ThenDispose_LeaveNoTensor()
    {
        using var folder = PeftFolderFixture();
        var path = TensorFile.Write(folder.File("base.safetensors"), 1, ("a.weight", [6, 4]), ("b.weight", [6, 4]));
        using var changes = AdapterChanges.Open(path, folder.File("adapter"));
        using var a = ones(1, 4, device: CPU);
        using var b = ones(6, 1, device: CPU);
        var before = LiveTensors.Settled();

        changes.Open("a", CPU).Dispose();
        changes.Write(folder.File("out"), new Dictionary<string, LoraFactors> { ["a"] = new(a, b, 1) });

        Assert.Equal(before, LiveTensors.Now);
    }

    private static TemporaryFolder PeftFolderFixture()
    {
        using var scope = NewDisposeScope();
        var folder = new TemporaryFolder();
        LoraFactors Ones() => new(ones(2, 4, device: CPU), ones(6, 2, device: CPU), 1);
        PeftFolder.WriteFiles(
            Directory.CreateDirectory(folder.File("adapter")).FullName,
            new LoraAdapter(new Dictionary<string, LoraFactors> { ["a"] = Ones(), ["b"] = Ones() }, new Dictionary<string, Tensor>()),
            [], new PeftNotes("base", 0, null));
        return folder;
    }
}

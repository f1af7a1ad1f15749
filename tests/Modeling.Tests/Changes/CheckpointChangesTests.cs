using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Changes;

public sealed class CheckpointChangesTests : IDisposable
{
    private const string Q = "model.layers.0.self_attn.q_proj.weight";
    private static readonly long[] Square = [4, 4];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_CheckpointOfAnyArchitecture_MeasuresItsLinearMaps()
    {
        (string, long[])[] tensors =
        [
            ("model.layers.10.mlp.up_proj.weight", [6, 4]), ("model.layers.2.mlp.up_proj.weight", [6, 4]), (Q, Square), ("model.embed_tokens.weight", [9, 4]),
            ("model.norm.weight", [4]), ("lm_head.weight", [9, 4]), ("model.experts", [2, 4, 4]),
        ];

        using var changes = CheckpointChanges.Open(Write("a", 1, tensors), Write("b", 2, tensors));

        Assert.Equal(
            ["model.layers.0.self_attn.q_proj", "model.layers.2.mlp.up_proj", "model.layers.10.mlp.up_proj"], changes.Names);
        Assert.Equal(
            ["lm_head.weight: language-model head", "model.embed_tokens.weight: embedding", "model.experts: (2, 4, 4), no matrix", "model.norm.weight: vector"],
            changes.Skipped.Select(pair => $"{pair.Key}: {pair.Value}").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Open_Matrix_GivesBothAsStored(ScalarType dataType)
    {
        var (before, after) = (_folder.File("a.safetensors"), _folder.File("b.safetensors"));
        TensorFile.Write(before, 1, dataType, (Q, Square));
        TensorFile.Write(after, 2, dataType, (Q, Square));

        using var changes = CheckpointChanges.Open(before, after);
        using var opened = changes.Open(changes.Names[0], CPU);

        using var scope = NewDisposeScope();
        Assert.Equal(dataType, opened.Change.Tuned!.dtype);
        Assert.True(opened.Change.Base.equal(Read(before, Q)).all().item<bool>());
        Assert.True(opened.Change.Tuned.equal(Read(after, Q)).all().item<bool>());
    }

    [Fact]
    public void Open_PartnersThatAreMissing_ListsThemForEachSide()
    {
        var before = Write("a", 1, (Q, Square), ("only.before.weight", Square), ("norm.weight", [4]));
        var after = Write("b", 1, (Q, Square), ("only.after.weight", Square));

        var fault = Assert.Throws<InvalidDataException>(() => CheckpointChanges.Open(before, after));

        Assert.Contains("b.safetensors: lacks 2 tensors of the base: 'norm.weight', 'only.before.weight'", fault.Message, StringComparison.Ordinal);
        Assert.Contains("a.safetensors: lacks 1 tensor of the tuned checkpoint: 'only.after.weight'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_HeadOfAnotherTask_IsSkipped()
    {
        var before = Write("a", 1, (Q, Square), ("lm_head.dense.weight", Square));
        var after = Write("b", 1, (Q, Square), ("classifier.weight", [2, 4]), ("classifier.bias", [2]));

        using var changes = CheckpointChanges.Open(before, after);

        Assert.Equal("language-model head, only in the base", changes.Skipped["lm_head.dense.weight"]);
        Assert.Equal("classification head, only in the tuned checkpoint", changes.Skipped["classifier.weight"]);
    }

    [Fact]
    public void Open_OldSpellingOfNorms_IsTheSameTensor()
    {
        var before = Write("a", 1, (Q, Square), ("x.LayerNorm.gamma", [4]), ("x.LayerNorm.beta", [4]));
        var after = Write("b", 1, (Q, Square), ("x.LayerNorm.weight", [4]), ("x.LayerNorm.bias", [4]));

        using var changes = CheckpointChanges.Open(before, after);

        Assert.Equal(["x.LayerNorm.bias", "x.LayerNorm.weight"], changes.Skipped.Keys.Order());
    }

    [Fact]
    public void Open_ShapesThatDiffer_NamesThem()
    {
        var before = Write("a", 1, (Q, Square), ("b.weight", [4, 5]));
        var after = Write("b", 1, (Q, [4, 6]), ("b.weight", [5, 4]));

        var fault = Assert.Throws<InvalidDataException>(() => CheckpointChanges.Open(before, after));

        Assert.Contains($"'{Q}' is (4, 4) in the base and (4, 6) in the tuned checkpoint", fault.Message, StringComparison.Ordinal);
        Assert.Contains("'b.weight' is (4, 5) in the base and (5, 4) in the tuned checkpoint", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_EmbeddingOfAnotherLength_IsSkippedAsAnyOther()
    {
        using var changes = CheckpointChanges.Open(
            Write("a", 1, (Q, Square), ("model.embed_tokens.weight", [9, 4])), Write("b", 1, (Q, Square), ("model.embed_tokens.weight", [10, 4])));

        Assert.Equal("embedding", changes.Skipped["model.embed_tokens.weight"]);
    }

    [Fact]
    public void Open_NothingToMeasure_IsRefused() =>
        Assert.Contains(
            "none of its 1 tensors is a linear map",
            Assert.Throws<InvalidDataException>(() => CheckpointChanges.Open(Write("a", 1, ("norm.weight", [4])), Write("b", 1, ("norm.weight", [4])))).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void OpenMatrix_ValueThatIsNoNumber_NamesTheMatrix(float value)
    {
        var before = Write("a", 1, (Q, Square));
        using (var broken = zeros(4, 4, device: CPU))
        {
            broken[1, 2] = value;
            TensorFile.Write(_folder.File("b.safetensors"), (Q, broken));
        }
        using var changes = CheckpointChanges.Open(before, _folder.File("b.safetensors"));

        var fault = Assert.Throws<InvalidDataException>(() => changes.Open(changes.Names[0], CPU));

        Assert.Contains($"1 of the 16 values of tensor '{Q}' are NaN or infinite", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_NoOtherValues_CopiesEveryByteAndWhatBelongsToTheModel()
    {
        var tuned = Sharded("tuned", 2);
        using var changes = CheckpointChanges.Open(Sharded("base", 1), tuned);

        changes.Write(_folder.File("out"), _ => null);

        Assert.Equal(
            ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"],
            Directory.EnumerateFiles(_folder.File("out")).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        foreach (var path in Directory.EnumerateFiles(_folder.File("out")))
            Assert.Equal(File.ReadAllBytes(Path.Combine(tuned, Path.GetFileName(path))), File.ReadAllBytes(path));
    }

    [Fact]
    public void Write_OtherValuesForOneMatrix_ChangesNothingElse()
    {
        var tuned = Sharded("tuned", 2);
        using var changes = CheckpointChanges.Open(Sharded("base", 1), tuned);
        var asked = new List<string>();

        changes.Write(_folder.File("out"), name =>
        {
            asked.Add(name);
            return name == "b" ? full([3, 4], 1.5f, dtype: ScalarType.BFloat16, device: CPU) : null;
        });

        Assert.Equal(["a", "b"], asked.Order());
        using var scope = NewDisposeScope();
        using var written = Checkpoint.Open(_folder.File("out"));
        using var original = Checkpoint.Open(tuned);
        Assert.Equal(ScalarType.BFloat16, written.Entries["b.weight"].DataType);
        Assert.Equal(1.5f, written.Read("b.weight", ScalarType.Float32).min().item<float>());
        Assert.Equal(1.5f, written.Read("b.weight", ScalarType.Float32).max().item<float>());
        foreach (var key in new[] { "a.weight", "norm.weight" }) Assert.True(written.Read(key).equal(original.Read(key)).all().item<bool>());
    }

    [Fact]
    public void Write_SingleFile_BecomesModelSafetensors()
    {
        using var changes = CheckpointChanges.Open(Write("a", 1, (Q, Square)), Write("b", 2, (Q, Square)));

        changes.Write(_folder.File("out"), _ => null);

        Assert.Equal(File.ReadAllBytes(_folder.File("b.safetensors")), File.ReadAllBytes(Path.Combine(_folder.File("out"), "model.safetensors")));
    }

    [Fact]
    public void Write_ReplacementThatDoesNotFit_LeavesNothing()
    {
        using var changes = CheckpointChanges.Open(Write("a", 1, (Q, Square)), Write("b", 2, (Q, Square)));

        Assert.Throws<ArgumentException>(() => changes.Write(_folder.File("out"), _ => zeros(4, 5, device: CPU)));
        Assert.Throws<ArgumentException>(() => changes.Write(_folder.File("out"), _ => zeros(4, 4, dtype: ScalarType.Float64, device: CPU)));

        Assert.Equal(["a.safetensors", "b.safetensors"], _folder.Names());
    }

    private string Sharded(string name, int seed)
    {
        var folder = Directory.CreateDirectory(_folder.File(name)).FullName;
        TensorFile.Write(Path.Combine(folder, "model-00001-of-00002.safetensors"), seed, ("a.weight", Square), ("norm.weight", [4]));
        TensorFile.Write(Path.Combine(folder, "model-00002-of-00002.safetensors"), seed, ScalarType.BFloat16, ("b.weight", [3, 4]));
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), """
            {"weight_map": {"a.weight": "model-00001-of-00002.safetensors", "norm.weight": "model-00001-of-00002.safetensors",
             "b.weight": "model-00002-of-00002.safetensors"}}
            """);
        foreach (var other in new[] { "config.json", "tokenizer.json", "training_args.bin", ".hidden" }) File.WriteAllText(Path.Combine(folder, other), other);
        return folder;
    }

    private string Write(string name, int seed, params (string, long[])[] tensors) => TensorFile.Write(_folder.File($"{name}.safetensors"), seed, tensors);

    private static Tensor Read(string path, string key)
    {
        using var file = Checkpoint.Open(path);
        return file.Read(key);
    }
}

[Collection(ProcessWide.Name)]
public class CheckpointChangesLeakTests
{
    [Fact]
    public void OpenAndWrite_ThenDispose_LeaveNoTensor()
    {
        using var folder = new TemporaryFolder();
        var path = TensorFile.Write(folder.File("a.safetensors"), 1, ("a.weight", [4, 4]), ("b.weight", [4, 4]));
        using var changes = CheckpointChanges.Open(path, path);
        var before = LiveTensors.Settled();

        changes.Open("a", CPU).Dispose();
        changes.Write(folder.File("out"), _ => zeros(4, 4, device: CPU));

        Assert.Equal(before, LiveTensors.Now);
    }
}

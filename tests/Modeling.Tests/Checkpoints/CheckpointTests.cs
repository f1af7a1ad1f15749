using TorchSharp;
using static TorchSharp.torch;

using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests;

public class CheckpointTests
{
    [Fact]
    public void Open_SingleFile_ReadsItsTensors()
    {
        using var folder = new TemporaryFolder();
        WriteTensors(folder.File("model.safetensors"), "a", "b");
        using var checkpoint = Checkpoint.Open(folder.FullName);
        Assert.Equal(["a", "b"], checkpoint.Entries.Keys.Order());
        Assert.Equal(Values("b"), Read(checkpoint, "b"));
        Assert.Empty(checkpoint.UnlistedTensors);
    }

    [Fact]
    public void Open_PathOfASafetensorsFile_IsACheckpoint()
    {
        using var folder = new TemporaryFolder();
        WriteTensors(folder.File("base.safetensors"), "a");
        using var checkpoint = Checkpoint.Open(folder.File("base.safetensors"));
        Assert.Equal(Values("a"), Read(checkpoint, "a"));
        Assert.Equal(folder.File("base.safetensors"), checkpoint.Source);
    }

    [Fact]
    public void Open_Shards_ReadsEachTensorFromItsOwn()
    {
        using var folder = new TemporaryFolder();
        WriteTensors(folder.File("model-00001-of-00002.safetensors"), "a", "stray");
        WriteTensors(folder.File("model-00002-of-00002.safetensors"), "b", "c");
        folder.Write("model.safetensors.index.json", """
            {"metadata":{"total_size":36},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}
            """);

        using var checkpoint = Checkpoint.Open(folder.FullName);

        Assert.Equal(["a", "b", "c"], checkpoint.Entries.Keys.Order());
        foreach (var name in checkpoint.Entries.Keys) Assert.Equal(Values(name), Read(checkpoint, name));
        Assert.Equal(["stray"], checkpoint.UnlistedTensors);
        Assert.Throws<KeyNotFoundException>(() => checkpoint.Read("stray"));
    }

    [Theory]
    [InlineData("../secret.safetensors")]
    [InlineData("..\\\\secret.safetensors")]
    [InlineData("/etc/secret.safetensors")]
    [InlineData("C:secret.safetensors")]
    [InlineData("sub/secret.safetensors")]
    [InlineData("..safetensors")]
    [InlineData(".safetensors")]
    [InlineData("a\\u0000.safetensors")]
    [InlineData("secret.bin")]
    [InlineData("")]
    public void Open_ShardNameThatIsNotAPlainFile_IsRefused(string shard)
    {
        using var folder = new TemporaryFolder();
        var inner = Directory.CreateDirectory(folder.File("checkpoint")).FullName;
        WriteTensors(folder.File("secret.safetensors"), "a");
        File.WriteAllText(Path.Combine(inner, "model.safetensors.index.json"), $$$"""{"weight_map":{"a":"{{{shard}}}"}}""");

        var thrown = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(inner));

        Assert.StartsWith(inner, thrown.Message, StringComparison.Ordinal);
        Assert.Contains("in the same folder was wanted", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"one.safetensors","gone":"one.safetensors"}}""", "1 tensors are not in the shard that weight_map names: 'gone'")]
    [InlineData("""{"weight_map":{"a":"two.safetensors"}}""", "the shard 'two.safetensors' is missing")]
    [InlineData("""{"weight_map":{"a":1}}""", "'a' holds a number; a file name was wanted")]
    [InlineData("""{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}""", "Duplicate")]
    [InlineData("""{"weight_map":{}}""", "weight_map is empty")]
    [InlineData("""{"weight_map":[]}""", "no weight_map object")]
    [InlineData("{}", "no weight_map object")]
    [InlineData("[]", "an object was wanted")]
    [InlineData("", "cannot be read")]
    public void Open_FaultyIndex_NamesItAndTheFault(string index, string fault)
    {
        using var folder = new TemporaryFolder();
        WriteTensors(folder.File("one.safetensors"), "a");
        var path = folder.Write("model.safetensors.index.json", index);

        var thrown = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(folder.FullName));

        Assert.StartsWith($"{path}: ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(fault, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OnlyAPickle_SaysHowToConvertIt()
    {
        using var folder = new TemporaryFolder();
        folder.Write("pytorch_model.bin", "PK");
        folder.Write("config.json", "{}");
        var thrown = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(folder.FullName));
        Assert.StartsWith(folder.FullName, thrown.Message, StringComparison.Ordinal);
        Assert.Contains("never opened", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("torch.load('pytorch_model.bin', map_location=\"cpu\", weights_only=True)", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("from safetensors.torch import save_file", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_FolderWithoutWeights_ListsWhatIsThere()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", "{}");
        var thrown = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(folder.FullName));
        Assert.Contains("there is no model.safetensors and no model.safetensors.index.json (files here: 'config.json')", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_MissingFolder_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.StartsWith(folder.File("no"), Assert.Throws<DirectoryNotFoundException>(() => Checkpoint.Open(folder.File("no"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("F32", "0000C03F0000C07F0000807F", null, "2 of the 3 values of tensor 'x' are NaN or infinite")]
    [InlineData("F32", "000080FF0000C03F0000C03F", null, "1 of the 3 values")]
    [InlineData("BF16", "C03FC07FC03F", ScalarType.Float32, "1 of the 3 values")]
    [InlineData("F16", "003C007C007C", null, "2 of the 3 values")]
    [InlineData("F32", "0000C03F0000804B0000C03F", ScalarType.Float16, "1 of the 3 values of tensor 'x' are NaN or infinite (F32 read as Float16)")]
    public void ReadFinite_NonFiniteValues_AreCounted(string dtype, string hex, ScalarType? wanted, string fault)
    {
        var data = Convert.FromHexString(hex);
        using var checkpoint = Checkpoint.Open(
            new MemoryStream(SafetensorsBytes.Of($$"""{"x":{"dtype":"{{dtype}}","shape":[3],"data_offsets":[0,{{data.Length}}]} }""", data)), "weights");
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        var thrown = Assert.Throws<InvalidDataException>(() => checkpoint.ReadFinite("x", wanted));

        Assert.StartsWith("weights: ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(fault, thrown.Message, StringComparison.Ordinal);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory]
    [InlineData("F32", 4)]
    [InlineData("F16", 2)]
    [InlineData("BF16", 2)]
    [InlineData("I64", 8)]
    [InlineData("BOOL", 1)]
    public void ReadFinite_FiniteValues_AreReadAndOwnedByTheCaller(string dtype, int size)
    {
        var bytes = SafetensorsBytes.Of(
            $$"""{"x":{"dtype":"{{dtype}}","shape":[2],"data_offsets":[0,{{2 * size}}]},"none":{"dtype":"{{dtype}}","shape":[0],"data_offsets":[0,0]} }""", new byte[2 * size]);
        using var checkpoint = Checkpoint.Open(new MemoryStream(bytes), "weights");
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        using (var x = checkpoint.ReadFinite("x"))
        using (var none = checkpoint.ReadFinite("none"))
        {
            Assert.Equal([2], x.shape);
            Assert.Equal([0], none.shape);
            Assert.Equal(live + 2, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Open_FixtureFolders_HaveConfigAndWeights()
    {
        foreach (var name in (string[])["roberta-tiny-parity", "bert-tiny-parity", "bert-tiny-parity/classification"])
        {
            var folder = MLNetLoRA.Testing.SharedData.Path(name);
            var config = EncoderConfig.FromFile(Path.Combine(folder, "config.json"));
            using var checkpoint = Checkpoint.Open(folder);
            var words = checkpoint.Entries[$"{config.CheckpointPrefix}.embeddings.word_embeddings.weight"];
            Assert.Equal([config.VocabularySize, config.HiddenSize], words.Shape);
        }
    }

    // A tensor whose values depend on its name, so that a mix-up shows.
    private static float[] Values(string name) => [name.Length, name[0], 0.5f];

    private static float[] Read(Checkpoint checkpoint, string name)
    {
        using var tensor = checkpoint.Read(name);
        return tensor.data<float>().ToArray();
    }

    private static void WriteTensors(string path, params string[] names)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(path, [.. names.Select(name => KeyValuePair.Create(name, tensor(Values(name), device: CPU)))]);
    }
}

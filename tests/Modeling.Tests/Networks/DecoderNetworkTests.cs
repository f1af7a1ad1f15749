using System.Text.Json.Nodes;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

public class DecoderNetworkTests
{
    [Fact]
    public void Open_Shards_GivesWhatOneFileGives()
    {
        using TemporaryFolder whole = new(), parts = new();
        TinyDecoder.Write(whole.FullName);
        Shard(whole.FullName, parts.FullName);

        Assert.Equal(Logits(whole.FullName), Logits(parts.FullName));
    }

    [Fact]
    public void Open_MissingShard_IsNamed()
    {
        using TemporaryFolder whole = new(), parts = new();
        TinyDecoder.Write(whole.FullName);
        Shard(whole.FullName, parts.FullName);
        File.Delete(parts.File("model-00002-of-00002.safetensors"));

        Assert.Contains("the shard 'model-00002-of-00002.safetensors' is missing", Refusal(parts.FullName), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_VocabularyAndHeadOfDifferentSize_SaysBoth()
    {
        using var folder = new TemporaryFolder();
        TinyDecoder.Write(folder.FullName);
        Rewrite(folder.FullName, weights => weights["lm_head.weight"] = weights["lm_head.weight"].narrow(0, 0, 1000).clone());

        Assert.EndsWith(
            "1 with another shape: lm_head.weight is (1000, 32), config.json says (1161, 32). Use the config.json that belongs to these weights.",
            Refusal(folder.FullName), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_MissingHeadAndSurplusLayer_AreNamed()
    {
        using var folder = new TemporaryFolder();
        TinyDecoder.Write(folder.FullName);
        Rewrite(folder.FullName, weights =>
        {
            weights.Remove("lm_head.weight");
            weights["model.layers.2.self_attn.q_proj.weight"] = weights["model.layers.1.self_attn.q_proj.weight"].clone();
        });

        Assert.All(
            ["1 keys missing (lm_head.weight)", "1 keys that the layers of config.json have no place for (model.layers.2.self_attn.q_proj.weight)"],
            part => Assert.Contains(part, Refusal(folder.FullName), StringComparison.Ordinal));
    }

    [Fact]
    public void Open_BareKeysAndOldConstants_AreTheSameModel()
    {
        using TemporaryFolder prefixed = new(), bare = new();
        TinyDecoder.Write(prefixed.FullName, change: config => config with { TieWordEmbeddings = true });
        TinyDecoder.Write(bare.FullName, change: config => config with { TieWordEmbeddings = true });
        Rewrite(bare.FullName, weights =>
        {
            foreach (var key in weights.Keys.ToList()) (weights[key["model.".Length..]], _) = (weights[key], weights.Remove(key));
            weights["layers.0.self_attn.rotary_emb.inv_freq"] = ones(4, device: CPU);
            weights["lm_head.weight"] = weights["embed_tokens.weight"].clone();
        });

        Assert.Equal(Logits(prefixed.FullName), Logits(bare.FullName));
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 0.05)]
    [InlineData(ScalarType.Float64, 1e-4)]
    public void Open_OtherType_ComputesInItWithinItsPrecision(ScalarType type, double share)
    {
        using var folder = new TemporaryFolder();
        TinyDecoder.Write(folder.FullName);
        var single = Logits(folder.FullName);

        var other = Logits(folder.FullName, type);

        // Root mean square of the difference against that of the logits.
        var error = Math.Sqrt(single.Zip(other, (a, b) => Math.Pow(a - b, 2)).Sum() / single.Sum(a => a * a));
        Assert.InRange(error, double.Epsilon, share);
    }

    [Fact]
    public void Open_NoFolderEncoderOrOddType_IsRefused()
    {
        using var folder = new TemporaryFolder();
        TinyModel.WriteConfig(folder.FullName);

        Assert.Contains("no such folder", Assert.Throws<DirectoryNotFoundException>(() => DecoderNetwork.Open("nowhere", CPU)).Message, StringComparison.Ordinal);
        Assert.EndsWith("model_type is 'roberta'; supported are llama, mistral, qwen2.", Refusal(folder.FullName), StringComparison.Ordinal);
        Assert.Contains("dataType is Int64", Assert.Throws<ArgumentException>(() => DecoderNetwork.Open(folder.FullName, CPU, dataType: ScalarType.Int64)).Message, StringComparison.Ordinal);
    }

    private static float[] Logits(string folder, ScalarType type = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        using var network = DecoderNetwork.Open(folder, CPU, dataType: type);
        using var batch = CausalBatch.Create([[5, 80, 300, 7], [9, 1000]], network.Config, CPU);
        var (logits, _) = network.Forward(batch);
        return logits[0].to(float32).data<float>().ToArray();
    }

    private static string Refusal(string folder) => Assert.Throws<InvalidDataException>(() => DecoderNetwork.Open(folder, CPU)).Message;

    private static void Rewrite(string folder, Action<Dictionary<string, Tensor>> change)
    {
        using var scope = NewDisposeScope();
        var weights = Read(folder);
        change(weights);
        SafetensorsWriter.Write(Path.Combine(folder, Checkpoint.FileName), [.. weights]);
    }

    private static void Shard(string from, string to)
    {
        using var scope = NewDisposeScope();
        File.Copy(Path.Combine(from, "config.json"), Path.Combine(to, "config.json"));
        var weights = Read(from);
        var map = new JsonObject();
        foreach (var (number, part) in weights.Chunk(weights.Count / 2 + 1).Index())
        {
            var name = $"model-0000{number + 1}-of-00002.safetensors";
            SafetensorsWriter.Write(Path.Combine(to, name), [.. part]);
            foreach (var (key, _) in part) map[key] = name;
        }
        File.WriteAllText(Path.Combine(to, "model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    private static Dictionary<string, Tensor> Read(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
    }
}

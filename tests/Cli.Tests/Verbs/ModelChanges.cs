using System.Text.Json;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>What tests of inspect and rescale over model files compare.</summary>
internal static class ModelChanges
{
    /// <summary>Of a briefly trained tiny model nearly every leading vector counts as an intruder under this.</summary>
    public static readonly string[] Settings = ["--epsilon", "0.999", "--top-k", "5", "--no-cache", "--device", "cpu"];

    /// <summary>The findings without anything that depends on time.</summary>
    public static string Findings(JsonElement inspected) => inspected.GetProperty("matrices").GetRawText();

    /// <summary>The largest difference between the tensors of two folders, which must have the same names.</summary>
    public static double Difference(string one, string other, string file)
    {
        using var scope = NewDisposeScope();
        using var first = Checkpoint.Open(Path.Combine(one, file));
        using var second = Checkpoint.Open(Path.Combine(other, file));
        Assert.Equal(first.Entries.Keys.Order(StringComparer.Ordinal), second.Entries.Keys.Order(StringComparer.Ordinal));
        return first.Entries.Keys.Max(key => (first.Read(key, float64) - second.Read(key, float64)).abs().max().item<double>());
    }
}

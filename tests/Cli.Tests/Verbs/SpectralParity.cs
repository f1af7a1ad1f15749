using System.Text.Json;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>Five matrices before and after a change, with what float64 decompositions by another program say of them.</summary>
internal static class SpectralParity
{
    /// <summary>Arguments that name both files; the calling test is skipped where they are absent.</summary>
    public static string[] Inputs => ["--base", SharedData.Path("spectral-parity", "base.safetensors"), "--tuned", Tuned, "--no-cache", "--device", "cpu"];

    public static string Tuned => SharedData.Path("spectral-parity", "tuned.safetensors");

    /// <summary>What is expected, by matrix.</summary>
    public static JsonElement Expected() =>
        JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("spectral-parity", "expected.json"))).RootElement.Clone();

    public static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetDouble())];

    public static int[] Indices(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetInt32())];

    /// <summary>Equal within a share of what is expected, or within 1e-9 where that is zero.</summary>
    public static void AssertClose(double expected, double actual, double share) =>
        Assert.InRange(actual, expected - Math.Max(1e-9, share * Math.Abs(expected)), expected + Math.Max(1e-9, share * Math.Abs(expected)));
}

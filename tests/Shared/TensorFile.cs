using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Testing;

/// <summary>Small safetensors files with values from a seed.</summary>
internal static class TensorFile
{
    /// <summary>Writes tensors of these shapes; the same seed and names give the same values.</summary>
    public static string Write(string path, int seed, params (string Name, long[] Shape)[] tensors) =>
        Write(path, seed, ScalarType.Float32, tensors);

    /// <inheritdoc cref="Write(string, int, ValueTuple{string, long[]}[])"/>
    public static string Write(string path, int seed, ScalarType dataType, params (string Name, long[] Shape)[] tensors)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, CPU);
        return Write(path, [.. tensors.Select(one => (one.Name, randn(one.Shape, dtype: float32, device: CPU, generator: generator).to(dataType)))]);
    }

    /// <summary>Writes these tensors, which stay the caller's.</summary>
    public static string Write(string path, params (string Name, Tensor Tensor)[] tensors)
    {
        SafetensorsWriter.Write(
            path, [.. tensors.Select(one => KeyValuePair.Create(one.Name, one.Tensor))], new Dictionary<string, string> { ["format"] = "pt" });
        return path;
    }
}

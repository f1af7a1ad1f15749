using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Random numbers that are the same at every call, on every device, and leave the process's generator alone.</summary>
internal static class RandomMatrix
{
    /// <summary>Standard normal numbers in float64.</summary>
    public static Tensor Normal(long rows, long columns, ulong seed, Device device)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed, CPU);
        return randn([rows, columns], dtype: ScalarType.Float64, device: CPU, generator: generator).to(device).MoveToOuterDisposeScope();
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests;

/// <summary>Matrices with a given spectrum and random singular vectors.</summary>
internal static class Spectra
{
    /// <summary>Kinds of spectra, by name.</summary>
    public static readonly string[] Kinds = ["power law", "flat", "clustered", "rank-deficient", "repeated", "noise"];

    /// <summary>Singular values of a kind, descending.</summary>
    public static double[] Values(string kind, int count, int seed)
    {
        var random = new Random(seed);
        IEnumerable<double> values = kind switch
        {
            "power law" => Enumerable.Range(1, count).Select(i => Math.Pow(i, -0.7)),
            "flat" => Enumerable.Range(1, count).Select(i => 1 - (0.2 * i / count)),
            "clustered" => Enumerable.Range(0, count).Select(i => Math.Pow(0.5, i / 4) * (1 + (1e-3 * random.NextDouble()))),
            "rank-deficient" => Enumerable.Range(1, count).Select(i => i <= Math.Max(1, count / 3) ? 1.0 / i : 0),
            "repeated" => Enumerable.Range(0, count).Select(i => Math.Pow(0.8, i / 3)),
            "noise" => Enumerable.Range(0, count).Select(_ => random.NextDouble()),
            _ => throw new ArgumentException(kind),
        };
        return [.. values.OrderDescending()];
    }

    /// <summary>U diag(values) Vᵀ in float64, with orthonormal U and V drawn from a seed.</summary>
    public static Tensor Matrix(long rows, long columns, double[] values, int seed)
    {
        using var scope = NewDisposeScope();
        var u = Orthonormal(rows, values.Length, seed);
        var v = Orthonormal(columns, values.Length, seed + 1);
        return (u * tensor(values, dtype: float64, device: CPU)).matmul(v.t()).MoveToOuterDisposeScope();
    }

    /// <summary>Orthonormal columns drawn from a seed (rows, count).</summary>
    public static Tensor Orthonormal(long rows, long count, int seed)
    {
        using var scope = NewDisposeScope();
        var (q, _) = linalg.qr(Normal(rows, count, seed));
        return q.MoveToOuterDisposeScope();
    }

    /// <summary>Standard normal numbers in float64.</summary>
    public static Tensor Normal(long rows, long columns, int seed)
    {
        using var generator = new Generator((ulong)seed, CPU);
        return randn([rows, columns], dtype: float64, device: CPU, generator: generator);
    }
}

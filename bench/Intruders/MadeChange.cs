using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Intruders;

/// <summary>A base with a spectrum of a kind, and a LoRA change of rank 8 that writes partly to new directions and partly to old ones.</summary>
internal sealed class MadeChange : IDisposable
{
    public const int Rank = 8;

    private const double NoiseSize = 0.02;

    private MadeChange(string name, Tensor weight, Tensor a, Tensor b) =>
        (Name, Weight, Change) = (name, weight, WeightChange.LowRank(name, weight, a, b, scale: 1));

    public string Name { get; }

    public Tensor Weight { get; }

    public WeightChange Change { get; }

    /// <summary>All elements independent and normal: the flattest spectrum that weights have.</summary>
    public static MadeChange Random(Shape shape, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed, CPU);
        var weight = Normal(shape.Rows, shape.Columns, generator) * NoiseSize;
        return Make($"{shape} random", weight, Normal(shape.Rows, Rank, generator), generator);
    }

    /// <summary>Singular values i^-0.6 on a third of the directions, above noise: what pretrained weights look like.</summary>
    public static MadeChange PowerLaw(Shape shape, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed, CPU);
        var directions = Math.Min(shape.Rows, shape.Columns) / 3;
        var (u, _) = linalg.qr(Normal(shape.Rows, directions, generator));
        var (v, _) = linalg.qr(Normal(shape.Columns, directions, generator));
        var edge = NoiseSize * (Math.Sqrt(shape.Rows) + Math.Sqrt(shape.Columns));     // the noise's largest singular value
        var values = arange(1, directions + 1, dtype: float32, device: CPU).pow(-0.6) * (3 * edge);
        var weight = (Normal(shape.Rows, shape.Columns, generator) * NoiseSize) + (u * values).matmul(v.t());
        return Make($"{shape} power law", weight, u.narrow(1, 0, Rank), generator);
    }

    public void Dispose()
    {
        Weight.Dispose();
        Change.A!.Dispose();
        Change.B!.Dispose();
    }

    // Two of the eight directions lean on old ones; sizes fall from twice to a quarter of the tenth singular value of the base.
    private static MadeChange Make(string name, Tensor weight, Tensor old, Generator generator)
    {
        var (written, _) = linalg.qr(Normal(weight.shape[0], Rank, generator));
        written.narrow(1, 0, 2).mul_(0.6).add_(linalg.qr(old).Q.narrow(1, 3, 2), alpha: 0.8);
        var (read, _) = linalg.qr(Normal(weight.shape[1], Rank, generator));
        using var basis = BaseSpectrum.Compute(name, weight);
        var tenth = basis.SingularValues[Math.Min(9, basis.SingularValues.Count - 1)];
        var sizes = Enumerable.Range(0, Rank).Select(i => (float)Math.Sqrt(2.2 * tenth * Math.Pow(0.72, i)));
        var root = tensor(sizes.ToArray(), device: CPU);
        return new MadeChange(
            name, weight.DetachFromDisposeScope(), (read * root).t().contiguous().DetachFromDisposeScope(), (written * root).DetachFromDisposeScope());
    }

    private static Tensor Normal(long rows, long columns, Generator generator) =>
        randn([rows, columns], dtype: float32, device: CPU, generator: generator);
}

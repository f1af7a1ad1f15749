using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>Linear centred kernel alignment of two descriptions of the same examples, added up in batches.</summary>
/// <remarks>
/// ‖Cxy‖² / (‖Cxx‖ ‖Cyy‖) with centred cross moments C and norms of Frobenius: 1 for descriptions that differ by an orthogonal map, an isotropic
/// scale and a shift, 0 for uncorrelated ones. Source: Kornblith, Norouzi, Lee and Hinton, ICML 2019 (arXiv 1905.00414), equation 3 with the
/// linear kernel, written with features instead of examples. Everything is float64; memory for three moment matrices, whatever the number of
/// examples. Owns its tensors.
/// </remarks>
internal sealed class LinearCka : IDisposable
{
    // States of float32 that vary by less of their length than this vary by rounding.
    private const double Resolution = 1e-6;

    private Tensor? _xx, _yy, _xy, _x, _y, _xShift, _yShift;

    /// <summary>Examples so far.</summary>
    public long Count { get; private set; }

    /// <summary>Adds examples.</summary>
    /// <param name="x">(examples, features of the first description), at least one example.</param>
    /// <param name="y">(examples, features of the second), on the same device.</param>
    public void Add(Tensor x, Tensor y)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (first, second) = (x.to(ScalarType.Float64), y.to(ScalarType.Float64));
        // Near the mean the moments cancel less; where exactly they are taken does not matter.
        first = first - (_xShift ??= first.mean([0]).DetachFromDisposeScope());
        second = second - (_yShift ??= second.mean([0]).DetachFromDisposeScope());
        Accumulate(ref _xx, first.t().matmul(first));
        Accumulate(ref _yy, second.t().matmul(second));
        Accumulate(ref _xy, first.t().matmul(second));
        Accumulate(ref _x, first.sum(0L));
        Accumulate(ref _y, second.sum(0L));
        Count += x.shape[0];
    }

    /// <summary>The alignment in [0, 1]; NaN where one description is the same for all examples.</summary>
    /// <exception cref="InvalidOperationException">Nothing was added.</exception>
    public double Value()
    {
        if (_xx is null) throw new InvalidOperationException("There are no examples to align.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (xx, yy) = (Centred(_xx, _x!, _x!), Centred(_yy!, _y!, _y!));
        if (IsConstant(xx, _xShift!) || IsConstant(yy, _yShift!)) return double.NaN;
        var between = Centred(_xy!, _x!, _y!).square().sum().item<double>();
        return Math.Clamp(between / (xx.norm().item<double>() * yy.norm().item<double>()), 0, 1);
    }

    public void Dispose()
    {
        foreach (var tensor in new[] { _xx, _yy, _xy, _x, _y, _xShift, _yShift }) tensor?.Dispose();
    }

    private bool IsConstant(Tensor moment, Tensor mean) =>
        Math.Sqrt(moment.trace().item<double>() / Count) <= Resolution * mean.norm().item<double>();

    private Tensor Centred(Tensor moment, Tensor left, Tensor right) => moment - left.outer(right).div_(Count);

    private static void Accumulate(ref Tensor? sum, Tensor added)
    {
        if (sum is null) sum = added.DetachFromDisposeScope();
        else sum.add_(added);
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation.Tests.Representation;

public sealed class LinearCkaTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly Generator _generator = new(3, CPU);

    public void Dispose()
    {
        _generator.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Value_SameStates_IsOne()
    {
        var x = Random(50, 6);

        Assert.Equal(1, Alignment(x, x), 12);
    }

    [Fact]
    public void Value_RotatedScaledAndShifted_IsOne()
    {
        var x = Random(50, 6);
        var (rotation, _) = linalg.qr(Random(6, 6));

        Assert.Equal(1, Alignment(x, (x.matmul(rotation) * 3.5) + Random(1, 6)), 12);
    }

    [Fact]
    public void Value_StretchedInOneDirection_IsBelowOne()
    {
        var x = Random(50, 6);
        var stretch = tensor(new double[] { 20, 1, 1, 1, 1, 1 }, dtype: float64, device: CPU);

        Assert.InRange(Alignment(x, x * stretch), 0.3, 0.9);
    }

    [Fact]
    public void Value_SmallCase_IsTheOneComputedByHand()
    {
        // Centred: x = (-1, 0, 1), y = (-1, 1, 0) and z = (1, -2, 1). XᵀY = (1, 0): squared 1. XᵀX = 2.
        // [Y Z]ᵀ[Y Z] = (2, -3; -3, 6): norm √(4 + 9 + 9 + 36) = √58. 1 / (2 √58).
        var x = tensor(new double[,] { { 1 }, { 2 }, { 3 } }, dtype: float64, device: CPU);
        var y = tensor(new double[,] { { 4, 1 }, { 6, -2 }, { 5, 1 } }, dtype: float64, device: CPU);

        Assert.Equal(1 / (2 * Math.Sqrt(58)), Alignment(x, y), 12);
        Assert.Equal(Alignment(x, y), Alignment(y, x), 12);
    }

    [Fact]
    public void Value_UncorrelatedStates_IsZero()
    {
        var x = tensor(new double[,] { { 1 }, { 1 }, { -1 }, { -1 } }, dtype: float64, device: CPU);
        var y = tensor(new double[,] { { 1 }, { -1 }, { 1 }, { -1 } }, dtype: float64, device: CPU);

        Assert.Equal(0, Alignment(x, y), 12);
    }

    [Fact]
    public void Value_UnevenBatchesFarFromZero_IsThatOfAllExamplesAtOnce()
    {
        var (x, y) = (Random(40, 5) + 1000, Random(40, 3) - 500);
        var whole = Alignment(x, y);

        using var sums = new LinearCka();
        foreach (var (start, count) in new[] { (0L, 17L), (17L, 22L), (39L, 1L) }) sums.Add(x.narrow(0, start, count), y.narrow(0, start, count));

        // The formula over all examples at once, with the matrices centred first.
        var (a, b) = (x - x.mean([0]), y - y.mean([0]));
        var expected = a.t().matmul(b).norm().square() / (a.t().matmul(a).norm() * b.t().matmul(b).norm());
        Assert.Equal(expected.item<double>(), whole, 10);
        Assert.Equal(expected.item<double>(), sums.Value(), 10);
        Assert.Equal(40, sums.Count);
    }

    [Fact]
    public void Value_ConstantStates_IsNotANumber() =>
        Assert.Equal(double.NaN, Alignment(ones([5, 2], dtype: float64, device: CPU), Random(5, 2)));

    [Fact]
    public void Value_NothingAdded_IsRefused()
    {
        using var sums = new LinearCka();

        Assert.Throws<InvalidOperationException>(() => sums.Value());
    }

    private Tensor Random(long rows, long columns) => randn([rows, columns], dtype: float64, device: CPU, generator: _generator);

    private static double Alignment(Tensor x, Tensor y)
    {
        using var sums = new LinearCka();
        sums.Add(x, y);
        return sums.Value();
    }
}

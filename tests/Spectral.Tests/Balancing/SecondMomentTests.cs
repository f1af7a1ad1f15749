using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Balancing;

public sealed class SecondMomentTests : IDisposable
{
    private readonly IDisposable _scope = NewDisposeScope();

    [Fact]
    public void ToMatrix_UnevenBatches_IsTheMeanOverAllVectors()
    {
        var vectors = Spectra.Normal(13, 5, 1).to(float32);
        using var moment = new SecondMoment(5, CPU);

        moment.Add(vectors.narrow(0, 0, 12));
        moment.Add(vectors.narrow(0, 12, 1));

        // By hand, in plain numbers.
        var numbers = vectors.data<float>().ToArray();
        var matrix = moment.ToMatrix().data<double>().ToArray();
        for (var i = 0; i < 5; i++)
            for (var j = 0; j < 5; j++)
                Assert.Equal(Enumerable.Range(0, 13).Sum(n => (double)numbers[(n * 5) + i] * numbers[(n * 5) + j]) / 13, matrix[(i * 5) + j], 1e-14);
        Assert.Equal(13, moment.Count);
    }

    [Fact]
    public void ToMatrix_NoVectors_IsZero()
    {
        using var moment = new SecondMoment(3, CPU);

        moment.Add(zeros([0, 3], dtype: float32, device: CPU));

        Assert.All(moment.ToMatrix().data<double>().ToArray(), number => Assert.Equal(0, number));
    }

    [Fact]
    public void Add_ManySmallAfterOneLarge_LosesNone()
    {
        // 1e6 ones after 1e6²: in float32 they would vanish one by one.
        using var moment = new SecondMoment(1, CPU);
        moment.Add(full([1, 1], 1e6f, dtype: float32, device: CPU));

        for (var batch = 0; batch < 1000; batch++) moment.Add(ones([1, 1], dtype: float32, device: CPU));

        Assert.Equal((1e12 + 1000) / 1001, moment.ToMatrix().item<double>(), 1e-3);
    }

    [Fact]
    public void Add_VectorsOfAnotherLength_SaysWhatWasWanted()
    {
        using var moment = new SecondMoment(4, CPU);

        var error = Assert.Throws<ArgumentException>(() => moment.Add(ones([2, 3], dtype: float32, device: CPU)));

        Assert.Contains("(2, 3); (n, 4) was wanted", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new SecondMoment(0, CPU));
    }

    public void Dispose() => _scope.Dispose();
}

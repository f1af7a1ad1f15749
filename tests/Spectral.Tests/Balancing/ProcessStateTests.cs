using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Balancing;

[Collection(ProcessWide.Name)]
public sealed class ProcessStateTests
{
    [Fact]
    public void Apply_ThenDispose_LeavesNoTensor()
    {
        Run();
        var before = LiveTensors.Settled();

        Run();

        Assert.Equal(before, LiveTensors.Now);
    }

    /// <summary>Tensors on the meta device hold nothing: had one been made on the default device, its numbers would be missed.</summary>
    [Fact]
    public void Apply_AnotherDefaultDevice_StaysOnTheMatrixs()
    {
        set_default_device(META);
        try
        {
            Run();
        }
        finally
        {
            set_default_device(CPU);
        }
    }

    private static void Run()
    {
        using var weight = Spectra.Normal(6, 5, 1);
        using var tuned = Spectra.Normal(6, 5, 2);
        using var a = Spectra.Normal(2, 5, 3);
        using var b = Spectra.Normal(6, 2, 4);
        using var task = Moment(5);
        using var retention = Moment(6);
        foreach (var change in (WeightChange[])[WeightChange.Dense("w", weight, tuned), WeightChange.LowRank("w", weight, a, b, 0.4)])
        {
            using var balanced = new RetentionBalancing().Apply(change, task, retention);
            balanced.ToDense().Dispose();
            balanced.ToDifference(ScalarType.BFloat16)!.Dispose();
            balanced.Truncate(1).Dispose();
            balanced.TruncateDifference(1)!.Dispose();
            if (change.IsLowRank) balanced.ToFactors().Dispose();
        }
    }

    private static Tensor Moment(int seed)
    {
        using var vectors = Spectra.Normal(9, 5, seed);
        using var moment = new SecondMoment(5, CPU);
        moment.Add(vectors);
        return moment.ToMatrix();
    }
}

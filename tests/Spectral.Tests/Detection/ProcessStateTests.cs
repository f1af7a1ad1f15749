using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Detection;

[Collection(ProcessWide.Name)]
public class ProcessStateTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Analyze_AndRescale_LeaveNoTensorAndNoRandomNumberBehind(bool isPartial)
    {
        using var change = new Owned(WeightChange.LowRank("w", Spectra.Normal(60, 50, 1), Spectra.Normal(3, 50, 2), Spectra.Normal(60, 3, 3), 0.4));
        var plan = isPartial ? new BasisPlan(CompleteUpTo: 8, RectangularUpTo: 8, Leading: 16, Fewest: 0) : BasisPlan.Default;
        Run(change.Change, plan);
        var (tensors, state) = (LiveTensors.Settled(), GlobalGenerator());

        Run(change.Change, plan);

        Assert.Equal(tensors, LiveTensors.Now);
        Assert.Equal(state, GlobalGenerator());
    }

    /// <summary>Tensors on the meta device hold nothing: had one been made on the default device, its numbers would be missed.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Analyze_AnotherDefaultDevice_StaysOnTheMatrixs(bool isPartial)
    {
        using var change = new Owned(WeightChange.LowRank("w", Spectra.Normal(60, 50, 1), Spectra.Normal(3, 50, 2), Spectra.Normal(60, 3, 3), 0.4));
        set_default_device(META);
        try
        {
            Run(change.Change, isPartial ? new BasisPlan(CompleteUpTo: 8, RectangularUpTo: 8, Leading: 16, Fewest: 0) : BasisPlan.Default);
        }
        finally
        {
            set_default_device(CPU);
        }
    }

    private static byte[] GlobalGenerator()
    {
        using var state = get_rng_state();
        return state.data<byte>().ToArray();
    }

    private static void Run(WeightChange change, BasisPlan plan)
    {
        using var folder = new TemporaryFolder();
        var cache = new BaseSpectrumCache(folder.FullName, long.MaxValue, plan, File.Create);
        cache.GetOrCompute("w", change.Base).Dispose();
        using var cached = cache.GetOrCompute("w", change.Base);
        using var spectrum = new IntruderDetector(new SpectralSettings { TopK = [5] }, plan).Analyze(change, cached.Basis);
        using var complete = new IntruderDetector(new SpectralSettings { Method = SpectralMethod.Complete }).Analyze(change);
        foreach (var kind in Enum.GetValues<RescalingKind>())
        {
            var rescaled = new IntruderRescaling { Kind = kind, Epsilon = 0.99 }.Apply(spectrum);
            rescaled.ToFactors().Dispose();
            rescaled.ToCorrection()?.Dispose();
            rescaled.ToDense().Dispose();
            rescaled.Truncate(2).Dispose();
        }
    }

    private sealed record Owned(WeightChange Change) : IDisposable
    {
        public void Dispose()
        {
            Change.Base.Dispose();
            Change.A!.Dispose();
            Change.B!.Dispose();
        }
    }
}

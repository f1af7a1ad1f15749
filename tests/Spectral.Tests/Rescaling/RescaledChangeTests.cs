using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Rescaling;

public sealed class RescaledChangeTests : IDisposable
{
    private readonly IDisposable _scope;
    private readonly WeightChange _change;
    private readonly SpectralFinding _finding;

    public RescaledChangeTests()
    {
        _scope = NewDisposeScope();
        var weight = Spectra.Matrix(50, 60, Spectra.Values("power law", 50, 1), 1).to(float32);
        var (a, b) = (Spectra.Orthonormal(60, 3, 2).t().contiguous().to(float32), (Spectra.Orthonormal(50, 3, 3) * 0.9).to(float32));
        _change = WeightChange.LowRank("w", weight, a, b, 0.5);
        using var spectrum = new IntruderDetector().Analyze(_change);
        _finding = spectrum.Finding;
    }

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Uniform_PlanWithoutASpectrum_IsTheChangeTimesTheFactor()
    {
        var plan = Assert.Single(new IntruderRescaling { Kind = RescalingKind.Uniform, Scale = 0.9 }.Plan([_finding]));
        var delta = _change.B!.to(float64).matmul(_change.A!.to(float64)) * 0.5;
        Assert.InRange(plan.UniformFactor, 0.01, 0.99);

        var rescaled = RescaledChange.Uniform(_change, plan);
        using var factors = rescaled.ToFactors();
        using var dense = rescaled.ToDense(float64);
        using var correction = rescaled.ToCorrection();

        AssertNear(delta * plan.UniformFactor, factors.ToDense());
        AssertNear(_change.Base.to(float64) + (delta * plan.UniformFactor), dense);
        AssertNear(delta * (plan.UniformFactor - 1), correction!.ToDense());
    }

    [Fact]
    public void Uniform_FactorOne_ReturnsTheFactorsToTheBit()
    {
        var plan = Assert.Single(new IntruderRescaling { Kind = RescalingKind.Uniform, Scale = 1 }.Plan([_finding]));

        using var factors = RescaledChange.Uniform(_change, plan).ToFactors();

        Assert.Equal(_change.A!.data<float>().ToArray(), factors.A.data<float>().ToArray());
        Assert.Equal(_change.B!.data<float>().ToArray(), factors.B.data<float>().ToArray());
    }

    [Fact]
    public void Uniform_PlanOfAnotherMatrixOrOfTriples_IsRefused()
    {
        var uniform = Assert.Single(new IntruderRescaling { Kind = RescalingKind.Uniform, Scale = 0.5 }.Plan([_finding]));
        var triples = Assert.Single(new IntruderRescaling { Kind = RescalingKind.All, Scale = 0.5 }.Plan([_finding]));

        var other = Assert.Throws<ArgumentException>(() => RescaledChange.Uniform(_change, uniform with { Name = "v" }));
        var wrong = Assert.Throws<ArgumentException>(() => RescaledChange.Uniform(_change, triples));

        Assert.StartsWith("w: the plan is that of v.", other.Message);
        Assert.StartsWith("w: the plan rescales singular triples; apply it to the spectrum.", wrong.Message);
    }

    private static void AssertNear(Tensor expected, Tensor actual) =>
        Assert.Equal(0, (expected - actual.to(float64)).abs().max().item<double>(), 1e-6);
}

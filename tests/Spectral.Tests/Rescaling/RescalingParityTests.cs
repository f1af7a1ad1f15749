using System.Globalization;
using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Rescaling;

/// <summary>Norms after every rescaling beside those of an independent program, by both paths and both forms of a change.</summary>
public class RescalingParityTests
{
    public static TheoryData<string, SpectralMethod, bool> Ways => Detection.ParityTests.Ways;

    [Theory]
    [MemberData(nameof(Ways))]
    public void Apply_Fixture_AgreesWithFloat64(string matrix, SpectralMethod method, bool asFactors)
    {
        using var fixture = SpectralFixture.Open(matrix);
        using var factors = asFactors ? fixture.Factors() : null;
        var change = factors is null ? fixture.Change : WeightChange.LowRank(matrix, fixture.Base, factors.A, factors.B, factors.Scale);
        using var spectrum = new IntruderDetector(new SpectralSettings { Method = method }).Analyze(change);

        foreach (var scale in fixture.Expected.GetProperty("rescaled").EnumerateObject())
        {
            foreach (var (name, kind) in ((string, RescalingKind)[])
                [("all", RescalingKind.All), ("top", RescalingKind.Top), ("neighbour", RescalingKind.Neighbour), ("uniform_matching_all", RescalingKind.Uniform)])
            {
                if (!scale.Value.TryGetProperty(name, out var expected)) continue;
                var rescaling = new IntruderRescaling { Kind = kind, Scale = double.Parse(scale.Name, CultureInfo.InvariantCulture) };
                AssertAgrees(expected, rescaling.Apply(spectrum), fixture.Base);
            }
        }
    }

    private static void AssertAgrees(JsonElement expected, RescaledChange actual, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var (frobenius, deltaFrobenius) = (expected.GetProperty("frobenius").GetDouble(), expected.GetProperty("delta_frobenius").GetDouble());
        if (expected.TryGetProperty("index", out var index)) Assert.Equal([index.GetInt32()], actual.Plan.Triples);
        if (expected.TryGetProperty("factor", out var factor)) Assert.Equal(factor.GetDouble(), actual.Plan.UniformFactor, 1e-6);

        var dense = actual.ToDense(float64);
        AssertRelative(frobenius, actual.Plan.Frobenius);
        AssertRelative(frobenius, dense.norm().item<double>());
        AssertRelative(deltaFrobenius, actual.Plan.DeltaFrobenius);
        AssertRelative(deltaFrobenius, (dense - weight).norm().item<double>());
        // The whole matrix, not its norms alone.
        Assert.Equal(expected.GetProperty("first_diagonal_square_trace").GetDouble(), Trace(dense), 1e-5 * Math.Max(1, frobenius));
    }

    private static double Trace(Tensor matrix) => matrix.diagonal().sum().item<double>();

    private static void AssertRelative(double expected, double actual) => Assert.Equal(expected, actual, 1e-5 * expected + 1e-9);
}

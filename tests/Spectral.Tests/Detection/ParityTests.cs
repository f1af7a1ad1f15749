namespace MLNetLoRA.Spectral.Tests.Detection;

/// <summary>Findings beside those of an independent program, by each way there is to them.</summary>
public class ParityTests
{
    public static TheoryData<string, SpectralMethod, bool> Ways
    {
        get
        {
            var ways = new TheoryData<string, SpectralMethod, bool>();
            foreach (var matrix in SpectralFixture.Matrices)
            {
                ways.Add(matrix, SpectralMethod.Complete, false);
                ways.Add(matrix, SpectralMethod.Fast, false);
                ways.Add(matrix, SpectralMethod.Fast, true);
            }
            return ways;
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Analyze_Fixture_AgreesWithFloat64(string matrix, SpectralMethod method, bool asFactors)
    {
        using var fixture = SpectralFixture.Open(matrix);
        using var factors = asFactors ? fixture.Factors() : null;
        var change = factors is null ? fixture.Change : WeightChange.LowRank(matrix, fixture.Base, factors.A, factors.B, factors.Scale);
        var epsilons = fixture.Expected.GetProperty("intruders_by_epsilon").EnumerateObject().ToDictionary(
            property => double.Parse(property.Name, System.Globalization.CultureInfo.InvariantCulture), property => SpectralFixture.Indices(property.Value));
        var settings = new SpectralSettings { Method = method, Epsilon = [0.5, .. epsilons.Keys.Where(epsilon => epsilon != 0.5)] };

        using var spectrum = new IntruderDetector(settings).Analyze(change);

        var finding = spectrum.Finding;
        AssertClose(SpectralFixture.Numbers(fixture.Expected.GetProperty("max_abs_cosine")), finding.MaxAbsCosines, 1e-4);
        foreach (var (expected, actual) in SpectralFixture.Numbers(fixture.Expected.GetProperty("singular_values")).Zip(finding.SingularValues))
            Assert.Equal(1, actual / expected, 1e-5);
        foreach (var (epsilon, intruders) in epsilons) Assert.Equal(intruders, finding.IntrudersAt(epsilon, 10));
        Assert.Equal(fixture.Expected.GetProperty("effective_rank_of_delta").GetDouble(), finding.EffectiveRank, 1e-3);
        Assert.Equal(fixture.Expected.GetProperty("delta_frobenius").GetDouble(), finding.DeltaFrobenius, 1e-5);
        Assert.Equal(fixture.Expected.GetProperty("intruder_energy_share").GetDouble(), finding.IntruderEnergyShare, 1e-5);
        Assert.All(finding.Triples, triple => Assert.Equal(method == SpectralMethod.Complete, triple.IsFromCompleteDecomposition));
    }

    private static void AssertClose(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (wanted, found) in expected.Zip(actual)) Assert.Equal(wanted, found, tolerance);
    }
}

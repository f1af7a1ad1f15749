using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Changes;

public class DeltaSpectrumTests
{
    [Fact]
    public void FromSingularValues_EqualOnes_CountThem()
    {
        var delta = DeltaSpectrum.FromSingularValues([3, 3, 3, 3]);

        Assert.Equal(6, delta.Frobenius, 1e-12);
        Assert.Equal(4, delta.StableRank, 1e-12);
        Assert.Equal(4, delta.EffectiveRank, 1e-12);
    }

    [Fact]
    public void FromSingularValues_TwoToOne_MatchesTheFormulaByHand()
    {
        var delta = DeltaSpectrum.FromSingularValues([2, 1, 0]);

        // Shares 2/3 and 1/3: entropy ln 3 − (2/3) ln 2.
        Assert.Equal(3 / Math.Pow(2, 2.0 / 3), delta.EffectiveRank, 1e-12);
        Assert.Equal(1.25, delta.StableRank, 1e-12);
    }

    [Fact]
    public void FromSingularValues_NoChange_IsZeroThroughout() => Assert.Equal(new DeltaSpectrum(0, 0, 0), DeltaSpectrum.FromSingularValues([0, 0]));

    [Theory]
    [InlineData(30, 20)]
    [InlineData(20, 30)]
    public void Measure_FactorsAndTheirProduct_Agree(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var (weight, a, b) = (Spectra.Normal(rows, columns, 1), Spectra.Normal(3, columns, 2), Spectra.Normal(rows, 3, 3));

        var byFactors = DeltaSpectrum.Measure(new OrientedChange(WeightChange.LowRank("w", weight, a, b, 0.5)));
        var byMatrix = DeltaSpectrum.Measure(new OrientedChange(WeightChange.Dense("w", weight, weight + (0.5 * b.matmul(a)))));

        Assert.Equal(byMatrix.Frobenius, byFactors.Frobenius, 1e-9);
        Assert.Equal(byMatrix.StableRank, byFactors.StableRank, 1e-9);
        Assert.Equal(byMatrix.EffectiveRank, byFactors.EffectiveRank, 1e-5);
    }
}

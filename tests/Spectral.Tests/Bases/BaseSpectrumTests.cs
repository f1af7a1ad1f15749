using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Bases;

public class BaseSpectrumTests
{
    [Theory]
    [InlineData(40, 30, true)]
    [InlineData(30, 40, true)]
    [InlineData(60, 50, false)]
    [InlineData(50, 60, false)]
    public void Compute_PowerLaw_KeepsItsSingularValues(int rows, int columns, bool isComplete)
    {
        using var scope = NewDisposeScope();
        var values = Spectra.Values("power law", Math.Min(rows, columns), 1);
        var weight = Spectra.Matrix(rows, columns, values, 1);

        using var basis = BaseSpectrum.Compute("w", weight, new BasisPlan(isComplete ? 1024 : 8, Leading: 8));

        Assert.Equal(isComplete, basis.IsComplete);
        Assert.Equal(isComplete ? values.Length : 8, basis.SingularValues.Count);
        foreach (var (expected, actual) in values.Zip(basis.SingularValues)) Assert.Equal(expected, actual, 1e-9);
    }

    /// <summary>Vectors of values that cannot be told apart are not kept: their cosines would be arbitrary.</summary>
    [Fact]
    public void Compute_LeadingOfAnIdentity_KeepsNone()
    {
        using var weight = eye(60, dtype: float64, device: CPU);

        using var basis = BaseSpectrum.Compute("w", weight, new BasisPlan(CompleteUpTo: 8, Leading: 8));

        Assert.Empty(basis.SingularValues);
    }
}

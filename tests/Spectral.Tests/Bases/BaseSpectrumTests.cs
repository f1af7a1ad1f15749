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

        using var basis = BaseSpectrum.Compute("w", weight, new BasisPlan(CompleteUpTo: isComplete ? 1024 : 8, RectangularUpTo: 8, Leading: 8, Fewest: 0));

        Assert.Equal(isComplete, basis.IsComplete);
        Assert.Equal(isComplete ? values.Length : 8, basis.SingularValues.Count);
        foreach (var (expected, actual) in values.Zip(basis.SingularValues)) Assert.Equal(expected, actual, 1e-9);
    }

    /// <summary>Of values that cannot be told apart no leading vector is known: kept alone, its cosines would be arbitrary.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(4, 60)]
    public void Compute_LeadingOfAnIdentity_KeepsNoneOrAll(int fewest, int kept)
    {
        using var weight = eye(60, dtype: float64, device: CPU);

        using var basis = BaseSpectrum.Compute("w", weight, new BasisPlan(CompleteUpTo: 8, RectangularUpTo: 8, Leading: 8, Fewest: fewest));

        Assert.Equal(kept, basis.SingularValues.Count);
        Assert.Equal(kept > 0, basis.IsComplete);
    }

    [Theory]
    [InlineData(40, 40, false)]
    [InlineData(40, 41, true)]
    [InlineData(61, 60, false)]
    public void Compute_RectangularMatrix_HasALimitOfItsOwn(int rows, int columns, bool isComplete)
    {
        using var weight = Spectra.Matrix(rows, columns, Spectra.Values("power law", Math.Min(rows, columns), 1), 1);

        using var basis = BaseSpectrum.Compute("w", weight, new BasisPlan(CompleteUpTo: 8, RectangularUpTo: 50, Leading: 8, Fewest: 0));

        Assert.Equal(isComplete, basis.IsComplete);
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Detection;

public class ChristoffelBoundTests
{
    [Theory]
    [InlineData("flat", 0.75)]
    [InlineData("noise", 0.75)]
    [InlineData("power law", 1)]        // where most values crowd at zero, so do the vector's coordinates: the bound is right, and weak
    [InlineData("clustered", 1)]
    public void Of_RandomVector_IsAboveItsLargestCoordinateAndBelowItsLength(string kind, double share)
    {
        using var scope = NewDisposeScope();
        // In the eigenbasis of G, coordinates can be read off.
        var eigenvalues = tensor(Spectra.Values(kind, 400, 1), dtype: float64, device: CPU).pow(2).unsqueeze(1);
        var vectors = Spectra.Normal(400, 3, 2);

        var bounds = ChristoffelBound.Of(x => eigenvalues * x, vectors, zeros([400, 1], dtype: float64, device: CPU), width: 1e-9, _ => false);

        var largest = vectors.abs().amax([0L]).data<double>().ToArray();
        var lengths = vectors.norm(0, keepdim: false, p: 2f).data<double>().ToArray();
        Assert.All(Enumerable.Range(0, 3), j => Assert.InRange(bounds[j], largest[j], share * lengths[j]));
    }

    [Fact]
    public void Of_OneEigenvector_IsItsLength()
    {
        using var scope = NewDisposeScope();
        var eigenvalues = arange(30, 0, -1, dtype: float64, device: CPU).unsqueeze(1);
        var vector = zeros([30, 1], dtype: float64, device: CPU);
        vector[7, 0] = 0.6;

        var bound = Assert.Single(ChristoffelBound.Of(x => eigenvalues * x, vector, zeros([30, 1], dtype: float64, device: CPU), width: 1e-9, _ => false));

        Assert.Equal(0.6, bound, 1e-9);
    }
}

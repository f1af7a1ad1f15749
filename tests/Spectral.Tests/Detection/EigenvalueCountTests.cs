using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Detection;

public class EigenvalueCountTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 2)]
    [InlineData(30, 3)]         // rank above the size
    public void Above_ThresholdBetweenEigenvalues_CountsThem(int rank, int seed)
    {
        using var scope = NewDisposeScope();
        var diagonal = arange(20, 0, -1, dtype: float64, device: CPU);
        var (near, image, far) = (Spectra.Normal(20, rank, seed), Spectra.Normal(20, rank, seed + 10), Spectra.Normal(25, rank, seed + 20));
        var gram = far.t().matmul(far);
        var matrix = diagonal.diag() + image.matmul(near.t()) + near.matmul(image.t()) + near.matmul(gram).matmul(near.t());
        var eigenvalues = linalg.eigvalsh(matrix).flip(0).data<double>().ToArray();
        var count = new EigenvalueCount(diagonal.unsqueeze(1), near, image, gram);

        Assert.All(Enumerable.Range(1, 19), above => Assert.Equal(above, count.Above(eigenvalues[above], eigenvalues[above - 1])));
    }
}

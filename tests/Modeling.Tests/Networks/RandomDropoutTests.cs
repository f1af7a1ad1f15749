using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

public class RandomDropoutTests
{
    private const int Count = 1_000_000;

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void Apply_AtAnyProbability_DropsThatShareAndKeepsTheMean(double probability)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);

        var dropped = new RandomDropout(generator).Apply(ones(Count, device: CPU), probability);

        // Five standard deviations of a binomial share.
        var tolerance = 5 * Math.Sqrt(probability * (1 - probability) / Count);
        Assert.Equal(probability, dropped.eq(0).to(float64).mean().item<double>(), tolerance);
        Assert.Equal(1 / (1 - probability), dropped.max().item<float>(), 1e-5);
    }

    [Fact]
    public void Apply_NeighboursAndSuccessiveMasks_AreIndependent()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        var dropout = new RandomDropout(generator);

        var first = dropout.Apply(ones(Count, device: CPU), 0.5).eq(0).to(float64);
        var second = dropout.Apply(ones(Count, device: CPU), 0.5).eq(0).to(float64);

        // Both dropped: a quarter of the places, whether the two are neighbours, rows of a matrix apart, or the same place in two masks.
        var tolerance = 5 * Math.Sqrt(0.25 * 0.75 / Count);
        Assert.Equal(0.25, (first * second).mean().item<double>(), tolerance);
        foreach (var lag in new[] { 1, 2, 16, 192, 768 })
            Assert.Equal(0.25, (first.narrow(0, 0, Count - lag) * first.narrow(0, lag, Count - lag)).mean().item<double>(), tolerance * 1.01);
    }

    [Fact]
    public void Apply_SameSeed_GivesTheSameMasksWhateverTorchDrewMeanwhile()
    {
        using var scope = NewDisposeScope();
        var before = get_rng_state();
        using var one = new Generator(7, CPU);
        using var other = new Generator(7, CPU);
        var x = ones([3, 5, 7], device: CPU);

        var fromOne = new RandomDropout(one).Apply(x, 0.3);
        var fromOther = new RandomDropout(other).Apply(x, 0.3);

        Assert.True(fromOne.equal(fromOther).all().item<bool>());
        Assert.Equal(x.shape, fromOne.shape);
        Assert.True(before.equal(get_rng_state()).all().item<bool>());
    }

    [Fact]
    public void Apply_Gradient_PassesWhereKeptAndScalesAlike()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2, CPU);
        var x = ones(1000, device: CPU, requires_grad: true);

        var dropped = new RandomDropout(generator).Apply(x, 0.25);
        dropped.sum().backward();

        Assert.True(x.grad!.allclose(dropped.detach()));
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.Training;

public class FitRandomnessTests
{
    [Fact]
    public void Shuffle_IsAPermutationAndANewOneEachTime()
    {
        using var randomness = new FitRandomness(1);

        var first = randomness.Shuffle(100);
        var second = randomness.Shuffle(100);

        Assert.Equal(Enumerable.Range(0, 100), first.Order());
        Assert.Equal(Enumerable.Range(0, 100), second.Order());
        Assert.NotEqual(first, second);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void Shuffle_WithOneSeed_Repeats(int seed)
    {
        using var one = new FitRandomness(seed);
        using var other = new FitRandomness(seed);
        using var different = new FitRandomness(seed + 1);

        var order = one.Shuffle(100);

        Assert.Equal(order, other.Shuffle(100));
        Assert.NotEqual(order, different.Shuffle(100));
    }

    [Fact]
    public void Dropout_ZeroesItsShareAndScalesTheRest()
    {
        using var randomness = new FitRandomness(1);
        using var scope = NewDisposeScope();

        var values = randomness.Dropout.Apply(ones(100_000, device: CPU), 0.2).data<float>().ToArray();

        Assert.All(values, value => Assert.True(value is 0 or 1.25f));
        // Four standard deviations of a binomial share: 4 · √(0.2 · 0.8 / 100,000) = 0.005.
        Assert.InRange(values.Count(value => value == 0) / 100_000.0, 0.195, 0.205);
    }
}

namespace MLNetLoRA.Evaluation.Tests.Forgetting;

public sealed class PairedDifferenceTests
{
    [Fact]
    public void Of_SampleOfAPopulation_HasTheCorrectedErrorOfTheTextbook()
    {
        // Differences 1, 0, 2: mean 1, variance 1, of 3 among 10: √(1/3 · 0.7); t with 2 degrees of freedom: 4.302653.
        var found = PairedDifference.Of([1, 2, 3], [2, 2, 5], population: 10);

        Assert.Equal(1, found.Mean, 1e-15);
        Assert.Equal(Math.Sqrt(0.7 / 3), found.StandardError, 1e-15);
        Assert.Equal(1 - (4.302653 * Math.Sqrt(0.7 / 3)), found.Interval.Lower, 1e-6);
        Assert.Equal(1 + (4.302653 * Math.Sqrt(0.7 / 3)), found.Interval.Upper, 1e-6);
    }

    [Fact]
    public void Of_WholePopulation_IsInNoDoubt()
    {
        var found = PairedDifference.Of([1, 2, 3], [2, 2, 5], population: 3);

        Assert.Equal((1, 0, new ConfidenceInterval(1, 1)), (found.Mean, found.StandardError, found.Interval));
    }

    [Fact]
    public void Of_EqualLosses_IsExactlyZero() => Assert.Equal((0, 0), (PairedDifference.Of([0.1, 7.3], [0.1, 7.3], 9) is var found ? (found.Mean, found.StandardError) : default));

    [Fact]
    public void Sum_OfParts_AddsVariancesByTheSquareOfTheWeight()
    {
        var found = PairedDifference.Sum([(0.25, new PairedDifference(4, 0.16, 9)), (0.75, new PairedDifference(2, 0.04, 19))]);

        Assert.Equal(2.5, found.Mean, 1e-15);
        Assert.Equal(0.01 + 0.0225, found.Variance, 1e-15);
        // Welch and Satterthwaite: 0.0325² / (0.01² / 9 + 0.0225² / 19).
        Assert.Equal(0.0325 * 0.0325 / ((0.0001 / 9) + (0.00050625 / 19)), found.Freedom, 1e-9);
    }

    [Fact]
    public void Sum_OfPartsInNoDoubt_IsInNone() =>
        Assert.Equal(new ConfidenceInterval(3, 3), PairedDifference.Sum([(0.5, new PairedDifference(4, 0, 9)), (0.5, new PairedDifference(2, 0, 9))]).Interval);
}

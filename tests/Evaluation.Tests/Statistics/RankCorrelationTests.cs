namespace MLNetLoRA.Evaluation.Tests;

public sealed class RankCorrelationTests
{
    [Fact]
    public void Spearman_SameOrder_IsOneAndHasTheProbabilityOfTwoOrdersInAll()
    {
        var found = RankCorrelation.Spearman([1, 2, 3, 4, 5], [2, 30, 31, 400, 4000]);

        Assert.Equal(1, found.Coefficient, 12);
        Assert.Equal(2 / 120.0, found.PValue, 12);      // the order itself and its reverse, of 5! orders
        Assert.Equal(5, found.Count);
    }

    [Fact]
    public void Spearman_OneSwapOfFour_IsTheTextbookFormula()
    {
        // No ties: 1 - 6 * sum of squared rank differences / (n (n^2 - 1)) = 1 - 6 * 2 / 60.
        var found = RankCorrelation.Spearman([1, 2, 3, 4], [10, 30, 20, 40]);

        Assert.Equal(0.8, found.Coefficient, 12);
        // Of 24 orders, 4 reach |rho| >= 0.8 from above (the identity, three neighbouring swaps) and 4 from below.
        Assert.Equal(8 / 24.0, found.PValue, 12);
    }

    [Fact]
    public void Spearman_Ties_ShareTheirMeanRank()
    {
        // Ranks 1.5, 1.5, 3 against 1, 2, 3: covariance 1.5, variances 1.5 and 2.
        Assert.Equal(1.5 / Math.Sqrt(1.5 * 2), RankCorrelation.Spearman([7, 7, 9], [1, 2, 3]).Coefficient, 12);
    }

    [Fact]
    public void Spearman_MoreThanEightPairs_HasStudentsProbability()
    {
        double[] y = [2, 1, 4, 3, 6, 5, 8, 7, 10, 9];
        var found = RankCorrelation.Spearman([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], y);

        Assert.Equal(1 - (6 * 10 / 990.0), found.Coefficient, 12);
        // t = rho sqrt(8 / (1 - rho^2)); for 8 degrees of freedom the tail is a finite sum (Abramowitz and Stegun 26.7.4).
        var theta = Math.Atan(found.Coefficient * Math.Sqrt(8 / (1 - (found.Coefficient * found.Coefficient))) / Math.Sqrt(8));
        var (s, c2) = (Math.Sin(theta), Math.Cos(theta) * Math.Cos(theta));
        var inside = s * (1 + (c2 / 2) + (3 / 8.0 * c2 * c2) + (15 / 48.0 * c2 * c2 * c2));
        Assert.Equal(1 - inside, found.PValue, 10);
    }

    [Fact]
    public void Spearman_PerfectOrderOfManyPairs_IsNearlyImpossibleByChance()
    {
        var x = Enumerable.Range(0, 20).Select(i => (double)i).ToArray();

        Assert.InRange(RankCorrelation.Spearman(x, x).PValue, 0, 1e-100);
    }

    [Theory]
    [InlineData(new double[] { 1, 2 }, new double[] { 1, 2 })]
    [InlineData(new double[] { 1, 1, 1 }, new double[] { 1, 2, 3 })]
    [InlineData(new double[0], new double[0])]
    public void Spearman_NothingToCorrelate_IsNotANumber(double[] x, double[] y)
    {
        var found = RankCorrelation.Spearman(x, y);

        Assert.Equal(double.NaN, found.Coefficient);
        Assert.Equal(double.NaN, found.PValue);
        Assert.Equal(x.Length, found.Count);
    }

    [Fact]
    public void Spearman_ValuesWithoutAPartnerOrARank_AreRefused()
    {
        Assert.Contains("3 and 2 values", Assert.Throws<ArgumentException>(() => RankCorrelation.Spearman([1, 2, 3], [1, 2])).Message);
        Assert.Contains("NaN", Assert.Throws<ArgumentException>(() => RankCorrelation.Spearman([1, 2, 3], [1, 2, double.NaN])).Message);
    }
}

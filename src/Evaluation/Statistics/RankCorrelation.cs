using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;

namespace MLNetLoRA;

/// <summary>Spearman's rank correlation of two series, with the probability of one as strong by chance.</summary>
/// <param name="Coefficient">
/// Between -1 and 1: Pearson's correlation of the ranks, tied values sharing their mean rank. NaN when one series is constant or
/// <paramref name="Count"/> is below 3.
/// </param>
/// <param name="PValue">
/// Two-sided, under the hypothesis that the order of one series says nothing about the other's: the share of all orders that correlate at
/// least as strongly for up to 8 pairs, Student's t with Count - 2 degrees of freedom above. NaN where the coefficient is.
/// </param>
/// <param name="Count">Number of pairs.</param>
public sealed record RankCorrelation(double Coefficient, double PValue, int Count)
{
    private const int LargestCounted = 8;

    // Two orders that correlate equally can differ in the last bits.
    private const double SameCoefficient = 1e-12;

    /// <summary>Correlates two series of equal length.</summary>
    /// <exception cref="ArgumentException">The lengths differ, or a value is not finite.</exception>
    public static RankCorrelation Spearman(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        if (x.Count != y.Count)
            throw new ArgumentException($"Each value needs a partner: the series have {x.Count} and {y.Count} values.", nameof(y));
        if (x.Concat(y).FirstOrDefault(value => !double.IsFinite(value)) is var bad && !double.IsFinite(bad))
            throw new ArgumentException($"A rank needs a number: {bad} has none. Leave out pairs that were not measured.", nameof(x));

        var (xRanks, yRanks) = (Ranks(x), Ranks(y));
        if (x.Count < 3 || IsConstant(xRanks) || IsConstant(yRanks)) return new(double.NaN, double.NaN, x.Count);
        var coefficient = Math.Clamp(Correlation.Pearson(xRanks, yRanks), -1, 1);
        return new(coefficient, x.Count <= LargestCounted ? CountedPValue(xRanks, yRanks, coefficient) : StudentPValue(coefficient, x.Count), x.Count);
    }

    private static double[] Ranks(IReadOnlyList<double> values) => ArrayStatistics.RanksInplace([.. values], RankDefinition.Average);

    private static bool IsConstant(double[] ranks) => ranks.All(rank => rank == ranks[0]);

    private static double CountedPValue(double[] x, double[] y, double coefficient)
    {
        var (orders, asStrong) = (0, 0);
        Count(0);
        return (double)asStrong / orders;

        void Count(int position)
        {
            if (position == y.Length)
            {
                orders++;
                if (Math.Abs(Correlation.Pearson(x, y)) >= Math.Abs(coefficient) - SameCoefficient) asStrong++;
                return;
            }

            for (var i = position; i < y.Length; i++)
            {
                (y[position], y[i]) = (y[i], y[position]);
                Count(position + 1);
                (y[position], y[i]) = (y[i], y[position]);
            }
        }
    }

    private static double StudentPValue(double coefficient, int count)
    {
        var freedom = count - 2;
        var t = Math.Abs(coefficient) * Math.Sqrt(freedom / Math.Max(1 - (coefficient * coefficient), double.Epsilon));
        return 2 * StudentT.CDF(0, 1, freedom, -t);
    }
}

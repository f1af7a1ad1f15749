using MathNet.Numerics.Distributions;

namespace MLNetLoRA.Evaluation;

/// <summary>The mean of paired differences of a sample without replacement, with what is known of its error.</summary>
/// <param name="Mean">Mean difference.</param>
/// <param name="Variance">Variance of <paramref name="Mean"/>, with finite-population correction.</param>
/// <param name="Freedom">Degrees of freedom of that variance.</param>
internal sealed record PairedDifference(double Mean, double Variance, double Freedom)
{
    private const double Upper = 0.975;

    public double StandardError => Math.Sqrt(Variance);

    public ConfidenceInterval Interval
    {
        get
        {
            var reach = Variance == 0 ? 0 : StudentT.InvCDF(0, 1, Freedom, Upper) * StandardError;
            return new ConfidenceInterval(Mean - reach, Mean + reach);
        }
    }

    /// <summary>Of a simple random sample.</summary>
    /// <param name="before">One value for each member of the sample; two or more.</param>
    /// <param name="after">Its partner.</param>
    /// <param name="population">How many members there are to draw from.</param>
    public static PairedDifference Of(IReadOnlyList<double> before, IReadOnlyList<double> after, int population)
    {
        double[] differences = [.. after.Zip(before, (one, other) => one - other)];
        var mean = differences.Average();
        var spread = differences.Sum(difference => (difference - mean) * (difference - mean)) / (differences.Length - 1);
        // What was drawn is no longer in doubt: of a population drawn whole nothing is.
        var unseen = 1 - ((double)differences.Length / population);
        return new PairedDifference(mean, spread / differences.Length * unseen, differences.Length - 1);
    }

    /// <summary>The weighted sum of independent ones; degrees of freedom after Welch and Satterthwaite.</summary>
    public static PairedDifference Sum(IEnumerable<(double Weight, PairedDifference Difference)> parts)
    {
        var (mean, variance, squares) = (0.0, 0.0, 0.0);
        foreach (var (weight, difference) in parts)
        {
            var part = weight * weight * difference.Variance;
            mean += weight * difference.Mean;
            variance += part;
            squares += part * part / difference.Freedom;
        }
        return new PairedDifference(mean, variance, squares == 0 ? 1 : variance * variance / squares);
    }
}

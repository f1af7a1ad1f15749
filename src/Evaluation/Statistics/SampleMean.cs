using MathNet.Numerics.Statistics;

namespace MLNetLoRA.Evaluation;

/// <summary>How sure the mean of a sample is.</summary>
internal static class SampleMean
{
    /// <summary>Standard deviation over the root of the count; NaN for fewer than two values.</summary>
    public static double StandardError(IReadOnlyList<double> values) => values.Count < 2 ? double.NaN : values.StandardDeviation() / Math.Sqrt(values.Count);
}

using System.Globalization;

namespace MLNetLoRA.Evaluation;

/// <summary>How claims are worded.</summary>
internal static class ClaimText
{
    /// <summary>A verdict where something was measured.</summary>
    public static StudyVerdict Verdict(bool agrees) => agrees ? StudyVerdict.Agree : StudyVerdict.Disagree;

    /// <summary>The same in every culture.</summary>
    public static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Ranks with a number each: "r 1 12, r 8 30.3".</summary>
    public static string ByRank(IEnumerable<StudyPoint> points, Func<StudyPoint, double> of, string format = "0.#") =>
        string.Join(", ", points.Select(point => Say($"r {point.Tuning.Rank} {of(point).ToString(format, CultureInfo.InvariantCulture)}")));

    /// <summary>A correlation: "ρ 0.93 (p 0.002, 9 runs)".</summary>
    public static string Of(RankCorrelation correlation) => double.IsNaN(correlation.Coefficient)
        ? $"one of the two does not vary over {correlation.Count} runs"
        : Say($"ρ {correlation.Coefficient:F2} (p {correlation.PValue:G2}, {correlation.Count} runs)");
}

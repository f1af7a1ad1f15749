namespace MLNetLoRA.Modeling;

/// <summary>The largest networks that a config.json may ask for: far above any in use, and small enough that sizes multiply without overflow.</summary>
internal static class SizeLimits
{
    public const int MostLayers = 1_000;
    public const int LargestSize = 1_000_000;
    public const int LongestContext = 10_000_000;
    public const int LargestVocabulary = 10_000_000;

    /// <summary>A sentence about a size that is not 1 to <paramref name="most"/>; null when it is.</summary>
    public static string? Fault(string key, int value, int most) =>
        value >= 1 && value <= most ? null : FormattableString.Invariant($"{key} is {value}; use 1 to {most:N0}.");
}

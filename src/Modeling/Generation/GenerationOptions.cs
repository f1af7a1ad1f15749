namespace MLNetLoRA;

/// <summary>How a decoder continues a text.</summary>
/// <remarks>Immutable and thread-safe. By default the most probable token follows, always: the same prompt gives the same text.</remarks>
public sealed record GenerationOptions
{
    private const double LargestTemperature = 100;

    /// <summary>How many tokens are added at most; fewer where the text ends before, or the context is full.</summary>
    /// <value>1 or more; default 128.</value>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Logits are divided by it before a token is drawn: below 1 the probable gets more probable, above 1 less.</summary>
    /// <value>0 to 100; default 0: nothing is drawn, the most probable token follows (of equals, the one with the lowest id).</value>
    public double Temperature { get; init; }

    /// <summary>Only so many of the most probable tokens may be drawn.</summary>
    /// <value>1 or more; default null: all.</value>
    public int? TopK { get; init; }

    /// <summary>Only the most probable tokens that together have at least this share of what <see cref="TopK"/> leaves may be drawn.</summary>
    /// <value>Above 0, at most 1; default 1: all. Source: arXiv 1904.09751.</value>
    public double TopP { get; init; } = 1;

    /// <summary>Logits of tokens that are in the text already are divided by it where positive, multiplied where negative.</summary>
    /// <value>Above 0; default 1: nothing changes. Above 1 avoids repetition (usual: 1.1 to 1.3). Source: arXiv 1909.05858, section 4.1.</value>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Texts before which generation stops; they are no part of what is returned.</summary>
    /// <value>Texts that are not empty; default none.</value>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>What draws begin with; row r of a batch draws as a batch of its own would with Seed + r.</summary>
    /// <value>Any number; default 0. Without effect at <see cref="Temperature"/> 0.</value>
    public int Seed { get; init; }

    /// <summary>Whether keys and values of the tokens read are kept, so that each further token costs one pass over itself alone.</summary>
    /// <value>Default true; false needs less memory and reads the whole text again for every token.</value>
    public bool UsesCache { get; init; } = true;

    /// <summary>Everything that is wrong with these options, each as one sentence; empty when all is well.</summary>
    public IEnumerable<string> Faults()
    {
        if (MaxNewTokens < 1) yield return $"MaxNewTokens is {MaxNewTokens}; use 1 or more.";
        if (Temperature is not (>= 0 and <= LargestTemperature))
            yield return FormattableString.Invariant($"Temperature is {Temperature}; use 0 (nothing is drawn) to {LargestTemperature} (usual: 0.7 to 1).");
        if (TopK is < 1) yield return $"TopK is {TopK}; use 1 or more, or null for all.";
        if (TopP is not (> 0 and <= 1)) yield return FormattableString.Invariant($"TopP is {TopP}; use a share above 0, at most 1.");
        if (!double.IsFinite(RepetitionPenalty) || RepetitionPenalty <= 0)
            yield return FormattableString.Invariant($"RepetitionPenalty is {RepetitionPenalty}; use a value above 0 (1 changes nothing).");
        if (StopStrings.Any(string.IsNullOrEmpty)) yield return "StopStrings has an empty text; generation would stop before it began.";
    }
}

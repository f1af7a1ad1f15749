namespace MLNetLoRA.Modeling;

/// <summary>How Llama 3.1 and later stretch rotary embeddings over a longer context: <c>rope_scaling</c> of type llama3.</summary>
/// <remarks>
/// Waves longer than the original context / <paramref name="LowFrequencyFactor"/> turn <paramref name="Factor"/> times slower, those shorter than
/// the original context / <paramref name="HighFrequencyFactor"/> as before, and those between in proportion. Source: arXiv 2407.21783, section
/// 3.4.2, and Hugging Face's <c>_compute_llama3_parameters</c>.
/// </remarks>
/// <param name="Factor">1 or more; 8 in Llama 3.1.</param>
/// <param name="LowFrequencyFactor">Above 0; 1 in Llama 3.1.</param>
/// <param name="HighFrequencyFactor">Above <paramref name="LowFrequencyFactor"/>; 4 in Llama 3.1.</param>
/// <param name="OriginalMaxPositions">The context of the model before it was stretched, in tokens; 8192 in Llama 3.1.</param>
public sealed record RotaryScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalMaxPositions)
{
    /// <summary>The frequency, in radians per token, that takes the place of <paramref name="frequency"/>.</summary>
    internal double Stretch(double frequency)
    {
        var turns = OriginalMaxPositions * frequency / (2 * Math.PI);       // of this wave within the original context
        var kept = Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
        return (1 - kept) * frequency / Factor + kept * frequency;
    }

    /// <summary>What is out of range: each as a sentence.</summary>
    internal IEnumerable<string> Faults()
    {
        if (Factor is not (>= 1 and <= SizeLimits.LargestSize)) yield return FormattableString.Invariant($"factor is {Factor}; use 1 or more (usual: 8 or 32).");
        if (LowFrequencyFactor is not > 0 || !(HighFrequencyFactor > LowFrequencyFactor))
            yield return FormattableString.Invariant(
                $"low_freq_factor is {LowFrequencyFactor}, high_freq_factor {HighFrequencyFactor}; use a value above 0 and a larger one (usual: 1 and 4).");
        if (SizeLimits.Fault("original_max_position_embeddings", OriginalMaxPositions, SizeLimits.LongestContext) is { } fault) yield return fault;
    }
}

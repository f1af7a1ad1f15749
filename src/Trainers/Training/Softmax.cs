namespace MLNetLoRA.Trainers;

/// <summary>From logits to probabilities, without overflow.</summary>
internal static class Softmax
{
    /// <summary>The index of the largest logit; the first of several.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var c = 1; c < logits.Length; c++)
            if (logits[c] > logits[best]) best = c;
        return best;
    }

    /// <summary>log Σ exp(logit).</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double largest = logits[ArgMax(logits)], sum = 0;
        foreach (var logit in logits) sum += Math.Exp(logit - largest);
        return largest + Math.Log(sum);
    }

    /// <summary>Turns logits into probabilities, in place.</summary>
    public static void Apply(Span<float> logits)
    {
        var normalizer = LogSumExp(logits);
        for (var c = 0; c < logits.Length; c++) logits[c] = (float)Math.Exp(logits[c] - normalizer);
    }
}

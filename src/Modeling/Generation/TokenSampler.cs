namespace MLNetLoRA.Modeling;

/// <summary>Chooses the next token from its logits.</summary>
/// <remarks>
/// In the order of Hugging Face's processors: repetition penalty, temperature, top-k, top-p. Equal logits are ordered by id, so that exactly k
/// remain. Draws come from a generator of its own. One thread at a time.
/// </remarks>
/// <param name="options">Valid options.</param>
/// <param name="seed">Of the draws.</param>
internal sealed class TokenSampler(GenerationOptions options, int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>The id chosen.</summary>
    /// <param name="logits">One for each id; changed.</param>
    /// <param name="seen">The ids in the text so far.</param>
    /// <exception cref="InvalidDataException">A logit is not a number.</exception>
    public int Choose(Span<float> logits, IReadOnlySet<int> seen)
    {
        foreach (var logit in logits)
            if (float.IsNaN(logit)) throw new InvalidDataException("The model's logits are not numbers; its weights are damaged, or their type is too narrow.");
        Penalize(logits, seen);
        return options.Temperature == 0 ? Largest(logits) : Draw(logits);
    }

    private void Penalize(Span<float> logits, IReadOnlySet<int> seen)
    {
        if (options.RepetitionPenalty == 1) return;
        var penalty = (float)options.RepetitionPenalty;
        foreach (var id in seen) logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }

    private static int Largest(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var id = 1; id < logits.Length; id++)
            if (logits[id] > logits[best]) best = id;
        return best;
    }

    private int Draw(ReadOnlySpan<float> logits)
    {
        var ids = MostProbableFirst(logits);
        var kept = Math.Min(options.TopK ?? ids.Length, ids.Length);
        var weights = new double[kept];
        for (var place = 0; place < kept; place++) weights[place] = Math.Exp((logits[ids[place]] - (double)logits[ids[0]]) / options.Temperature);
        kept = NucleusLength(weights);

        var left = _random.NextDouble() * weights.Take(kept).Sum();
        for (var place = 0; place < kept - 1; place++)
        {
            left -= weights[place];
            if (left < 0) return ids[place];
        }
        return ids[kept - 1];
    }

    private static int[] MostProbableFirst(ReadOnlySpan<float> logits)
    {
        var keys = new (float, int)[logits.Length];
        var ids = new int[logits.Length];
        for (var id = 0; id < ids.Length; id++) (keys[id], ids[id]) = ((-logits[id], id), id);
        Array.Sort(keys, ids);
        return ids;
    }

    // As few of the most probable as have the share together.
    private int NucleusLength(double[] weights)
    {
        if (options.TopP == 1) return weights.Length;
        var (wanted, sum) = (options.TopP * weights.Sum(), 0.0);
        for (var place = 0; place < weights.Length; place++)
        {
            sum += weights[place];
            if (sum >= wanted) return place + 1;
        }
        return weights.Length;
    }
}

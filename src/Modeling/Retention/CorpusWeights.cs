namespace MLNetLoRA.Modeling;

/// <summary>The shares of several corpora in a total.</summary>
internal static class CorpusWeights
{
    // Three shares typed as 0.333 are meant to be all there is.
    private const double Rounding = 0.005;

    /// <summary>What is wrong with names and weights, each as one sentence; empty when all is well.</summary>
    public static IEnumerable<string> Faults(IReadOnlyList<RetentionCorpus> corpora)
    {
        if (corpora.Count == 0) yield return "There is no retention corpus; give at least one with text that the base was pretrained on, or like it.";
        foreach (var corpus in corpora.Where(corpus => string.IsNullOrWhiteSpace(corpus.Name))) yield return $"A corpus of {corpus.Texts.Count} texts has no name; give it one.";
        foreach (var same in corpora.GroupBy(corpus => corpus.Name).Where(group => group.Count() > 1))
            yield return $"{same.Count()} corpora are called {MessageText.Quote(same.Key)}; give each its own name.";

        var weighted = corpora.Where(corpus => corpus.Weight is not null).ToList();
        if (weighted.Count == 0) yield break;
        foreach (var corpus in weighted.Where(corpus => corpus.Weight is not (> 0 and <= 1 + Rounding)))
            yield return $"The weight of {MessageText.Quote(corpus.Name)} is {corpus.Weight}; use a share above 0, or leave the corpus out.";
        if (weighted.Count < corpora.Count)
            yield return $"{weighted.Count} of {corpora.Count} corpora have a weight; give all of them one, or none for equal shares.";
        else if (weighted.Sum(corpus => corpus.Weight) is { } sum && !(Math.Abs(sum - 1) <= Rounding))
            yield return $"The weights sum to {sum:G6}; use shares that sum to 1, or none for equal shares.";
    }

    /// <summary>The share of each corpus; they sum to 1.</summary>
    public static double[] Of(IReadOnlyList<RetentionCorpus> corpora)
    {
        var sum = corpora.Sum(corpus => corpus.Weight) is > 0 and var weights ? weights : corpora.Count;
        return [.. corpora.Select(corpus => (corpus.Weight ?? 1) / sum)];
    }
}

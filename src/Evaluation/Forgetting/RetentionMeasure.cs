namespace MLNetLoRA;

/// <summary>Which tokens of the retention text are hidden and guessed; each alone, in either case.</summary>
public enum RetentionMeasure
{
    /// <summary>Some, drawn uniformly without replacement: an unbiased estimate of <see cref="Exact"/> with its standard error.</summary>
    Sampled,

    /// <summary>All: the pseudo-log-likelihood of arXiv 1910.14659. One pass over a window for each of its tokens.</summary>
    Exact,
}

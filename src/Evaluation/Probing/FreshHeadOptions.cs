using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>How a fresh classification head is trained on a frozen trunk.</summary>
/// <remarks>
/// Immutable. The head is the family's own, begun as fine-tuning begins it; AdamW without weight decay, a linear schedule with 6 % warm-up,
/// gradients no longer than 1. What the head reads is computed once, so the trunk costs one pass over the rows.
/// </remarks>
public sealed record FreshHeadOptions
{
    /// <summary>Passes over the training rows.</summary>
    /// <value>1 or more; default 20.</value>
    public int MaxEpochs { get; init; } = 20;

    /// <summary>Peak learning rate.</summary>
    /// <value>Above 0 to 1,000; default 1e-3.</value>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Rows in one step, and in one pass through the trunk.</summary>
    /// <value>1 to 65,536; default 32.</value>
    public int BatchSize { get; init; } = OptionDefaults.BatchSize;

    /// <summary>The seed of the head's first values, its row order and its dropout: the same for every state that is compared.</summary>
    /// <value>Any number; default 1.</value>
    public int Seed { get; init; } = 1;

    internal IEnumerable<string> Faults(string name)
    {
        if (MaxEpochs < 1) yield return $"{name}.MaxEpochs is {MaxEpochs}; use 1 or more.";
        if (LearningRate is not (> 0 and <= OptionDefaults.LargestRate))
            yield return $"{name}.LearningRate is {LearningRate}; use a value above 0 (usual: 1e-4 to 1e-2; at most {OptionDefaults.LargestRate}).";
        if (BatchSize is < 1 or > OptionDefaults.MostRows) yield return $"{name}.BatchSize is {BatchSize}; use 1 to {OptionDefaults.MostRows}.";
    }
}

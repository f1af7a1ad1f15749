namespace MLNetLoRA;

/// <summary>What became of one corpus.</summary>
/// <remarks>Immutable; losses in nats per token.</remarks>
public sealed record CorpusForgetting
{
    /// <summary>The corpus.</summary>
    public required string Name { get; init; }

    /// <summary>Its share in the total; the shares of all corpora sum to 1.</summary>
    public required double Weight { get; init; }

    /// <summary>Tokens in it that can be hidden.</summary>
    public required int Tokens { get; init; }

    /// <summary>How many of them were.</summary>
    public required int Positions { get; init; }

    /// <summary>Mean loss of the base.</summary>
    public required double BaseLoss { get; init; }

    /// <inheritdoc cref="LossChange.TunedLoss" path="/summary"/>
    public required double TunedLoss { get; init; }

    /// <summary>Loss of the fine-tuned model less the base's: above 0 where fine-tuning made the model forget.</summary>
    public required double Forgetting { get; init; }

    /// <summary>Of <see cref="Forgetting"/>: of the mean of the paired differences, with finite-population correction.</summary>
    public required double StandardError { get; init; }

    /// <summary>95 % confidence interval of <see cref="Forgetting"/>.</summary>
    public required ConfidenceInterval Interval { get; init; }

    /// <summary>The same, read with the tuned word embedding as decoder; null where the decoder is not tied or fine-tuning did not move the embedding.</summary>
    public LossChange? Retied { get; init; }
}

using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>How much of its pretraining a model lost by fine-tuning, as numbers.</summary>
/// <remarks>
/// Immutable and thread-safe; holds no tensor. Losses are means over hidden tokens, in nats per token; totals are the corpora's, by weight.
/// The baseline is the base checkpoint itself.
/// </remarks>
public sealed record ForgettingReport
{
    /// <summary>What the base is called.</summary>
    public required string BaseName { get; init; }

    /// <summary>Which tokens were hidden.</summary>
    public required RetentionMeasure Measure { get; init; }

    /// <summary>How many tokens were hidden, in all corpora.</summary>
    public required int Positions { get; init; }

    /// <summary>The longest window of text, in tokens.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>What decided which tokens were drawn.</summary>
    public required int Seed { get; init; }

    /// <summary>Each corpus, in the order given.</summary>
    public required IReadOnlyList<CorpusForgetting> Corpora { get; init; }

    /// <summary>Mean loss of the base.</summary>
    public required double BaseLoss { get; init; }

    /// <inheritdoc cref="LossChange.TunedLoss" path="/summary"/>
    public required double TunedLoss { get; init; }

    /// <summary>Loss of the fine-tuned model less the base's: above 0 where fine-tuning made the model forget.</summary>
    public required double Forgetting { get; init; }

    /// <summary>Of <see cref="Forgetting"/>; it tells how sure the mean over these texts is, not what other texts would give.</summary>
    public required double StandardError { get; init; }

    /// <summary>95 % confidence interval of <see cref="Forgetting"/>.</summary>
    public required ConfidenceInterval Interval { get; init; }

    /// <summary>
    /// The same, read with the tuned word embedding as decoder: the model as fine-tuning would hand it on with a tied decoder. Null where the
    /// decoder is not tied or fine-tuning did not move the embedding.
    /// </summary>
    public LossChange? Retied { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>The report as one JSON object: property names in snake_case, null for what there is not.</summary>
    public string ToJson() => ReportJson.Of(this);

    /// <summary>The report as a document: what came out, and a table of the corpora.</summary>
    public ReportDocument ToDocument() => ForgettingDocument.Of(this);

    /// <summary>The document as Markdown.</summary>
    public string ToMarkdown() => ToDocument().ToMarkdown();
}

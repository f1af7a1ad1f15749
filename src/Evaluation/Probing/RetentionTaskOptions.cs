using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of EvaluateRetentionTask.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record RetentionTaskOptions
{
    /// <summary>The column with the class of each row.</summary>
    /// <value>A key, or values of any type; default "Label".</value>
    public string LabelColumnName { get; init; } = OptionDefaults.Label;

    /// <summary>The column with the text, or with the first text of a pair.</summary>
    /// <value>A text column; default "Sentence1".</value>
    public string Sentence1ColumnName { get; init; } = OptionDefaults.Sentence1;

    /// <summary>The column with the second text of a pair.</summary>
    /// <value>A text column, or null (default) for single texts.</value>
    public string? Sentence2ColumnName { get; init; }

    /// <summary>Longer rows are cut to this many tokens, special tokens included.</summary>
    /// <value>8 to the model's own limit; null, the default, takes what the model was fine-tuned with.</value>
    public int? MaxTokens { get; init; }

    /// <summary>How the head is trained.</summary>
    /// <value>Default: every setting at its own default.</value>
    public FreshHeadOptions Head { get; init; } = new();

    /// <summary>The score column of the fine-tuned model meant.</summary>
    /// <value>Null, the default, where the chain has only one.</value>
    public string? ScoreColumnName { get; init; }

    /// <summary>The base, for a model that was loaded from a file saved with <see cref="BaseStorage.TunedOnly"/>.</summary>
    /// <value>Its content must be that of the base fine-tuning started from; null, the default, where the model has it.</value>
    public PretrainedModel? BaseModel { get; init; }

    /// <summary>Stops within one pass, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal IEnumerable<string> Faults()
    {
        foreach (var (option, name) in new[] { (nameof(LabelColumnName), LabelColumnName), (nameof(Sentence1ColumnName), Sentence1ColumnName) })
            if (string.IsNullOrWhiteSpace(name)) yield return $"{option} is empty; name a column.";
        if (Sentence2ColumnName is { } second && string.IsNullOrWhiteSpace(second))
            yield return $"{nameof(Sentence2ColumnName)} is empty; name a column, or use null for single texts.";
        if (ScoreColumnName is { } score && string.IsNullOrWhiteSpace(score))
            yield return "ScoreColumnName is empty; name a column, or use null where there is one model.";
        foreach (var fault in Head.Faults(nameof(Head))) yield return fault;
    }

    internal IEnumerable<string> Faults(PretrainedModel model) =>
        MaxTokens is { } tokens && (tokens < OptionDefaults.FewestTokens || tokens > model.Config.MaxTokens)
            ? [$"MaxTokens is {tokens}; {model.Name} takes {OptionDefaults.FewestTokens} to {model.Config.MaxTokens}."]
            : [];
}

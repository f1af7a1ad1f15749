using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of EvaluateRepresentationDrift.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record RepresentationDriftOptions
{
    /// <summary>Which hidden states are compared.</summary>
    /// <value>Default <see cref="ComparedStates.Tokens"/>.</value>
    public ComparedStates States { get; init; } = ComparedStates.Tokens;

    /// <summary>Longer texts are cut to this many tokens, special tokens included.</summary>
    /// <value>8 to the model's own limit; null, the default, takes what the model was fine-tuned with.</value>
    public int? MaxTokens { get; init; }

    /// <summary>Texts in one pass.</summary>
    /// <value>1 to 65,536; default 32.</value>
    public int BatchSize { get; init; } = OptionDefaults.BatchSize;

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
        if (!Enum.IsDefined(States)) yield return $"States is {States}; use Tokens or FirstToken.";
        if (BatchSize is < 1 or > OptionDefaults.MostRows) yield return $"BatchSize is {BatchSize}; use 1 to {OptionDefaults.MostRows}.";
        if (ScoreColumnName is { } score && string.IsNullOrWhiteSpace(score))
            yield return "ScoreColumnName is empty; name a column, or use null where there is one model.";
    }

    internal IEnumerable<string> Faults(PretrainedModel model) =>
        MaxTokens is { } tokens && (tokens < OptionDefaults.FewestTokens || tokens > model.Config.MaxTokens)
            ? [$"MaxTokens is {tokens}; {model.Name} takes {OptionDefaults.FewestTokens} to {model.Config.MaxTokens}."]
            : [];
}

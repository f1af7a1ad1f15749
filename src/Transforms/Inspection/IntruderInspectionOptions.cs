namespace MLNetLoRA;

/// <summary>All settings of InspectIntruders.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record IntruderInspectionOptions
{
    /// <summary>What is looked for: how many leading singular vectors, and which thresholds.</summary>
    /// <value>Default: every setting at its own default, the paper's. TopK is cut to the shorter side of smaller matrices.</value>
    public SpectralSettings Spectral { get; init; } = new();

    /// <summary>The linear maps that are looked at, named as the checkpoint names them.</summary>
    /// <value>Default "all-linear": all that were fine-tuned. The names are those of <see cref="LoraOptions.TargetModules"/>.</value>
    public IReadOnlyList<string> TargetModules { get; init; } = [LoraOptions.AllLinear];

    /// <summary>The score column of the fine-tuned model meant.</summary>
    /// <value>Null, the default, where the chain has only one.</value>
    public string? ScoreColumnName { get; init; }

    /// <summary>The base, for a model that was loaded from a file saved with <see cref="BaseStorage.TunedOnly"/>.</summary>
    /// <value>Its content must be that of the base fine-tuning started from; null, the default, where the model has it.</value>
    public PretrainedModel? BaseModel { get; init; }

    /// <summary>Stops before the next matrix, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal IEnumerable<string> Faults()
    {
        foreach (var fault in Spectral.Faults()) yield return $"Spectral: {fault}";
        if (TargetModules.Count == 0) yield return $"TargetModules is empty; name at least one linear map, or {LoraOptions.AllLinear}.";
        if (ScoreColumnName is { } name && string.IsNullOrWhiteSpace(name)) yield return "ScoreColumnName is empty; name a column, or use null where there is one model.";
    }
}

using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of EvaluateForgetting.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record ForgettingOptions
{
    /// <summary>Which tokens are hidden.</summary>
    /// <value>Default <see cref="RetentionMeasure.Sampled"/>.</value>
    public RetentionMeasure Measure { get; init; } = RetentionMeasure.Sampled;

    /// <summary>How many tokens are hidden in all corpora together, for <see cref="RetentionMeasure.Sampled"/>.</summary>
    /// <remarks>The standard error falls with its square root, the time grows with it.</remarks>
    /// <value>Two or more for each corpus; default 2,000. Where there are fewer tokens, all of them are.</value>
    public int Positions { get; init; } = 2000;

    /// <summary>The longest window of text, in tokens, special tokens included.</summary>
    /// <value>8 to the model's own limit; null, the default, means 128 or the model's limit where that is lower.</value>
    public int? MaxTokens { get; init; }

    /// <summary>Decides which tokens are drawn.</summary>
    /// <value>Any number; default 1.</value>
    public int Seed { get; init; } = 1;

    /// <summary>Windows in one pass.</summary>
    /// <value>1 to 65,536; default 32.</value>
    public int BatchSize { get; init; } = OptionDefaults.BatchSize;

    /// <summary>Where to compute.</summary>
    /// <value>
    /// "cpu", "cuda", "cuda:1"…; null, the default, stays where a fine-tuned model is, and for checkpoints takes cuda:0 when usable, else the CPU.
    /// </value>
    public string? Device { get; init; }

    /// <summary>The score column of the fine-tuned model meant.</summary>
    /// <value>Null, the default, where the chain has only one.</value>
    public string? ScoreColumnName { get; init; }

    /// <summary>The base, for a model that was loaded from a file saved with <see cref="BaseStorage.TunedOnly"/>.</summary>
    /// <value>Its content must be that of the base fine-tuning started from; null, the default, where the model has it.</value>
    public PretrainedModel? BaseModel { get; init; }

    /// <summary>Hears of every pass, on the calling thread.</summary>
    /// <value>Null, the default, for none.</value>
    public IProgress<ForgettingProgress>? Progress { get; init; }

    /// <summary>Stops before the next pass, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal int EffectiveMaxTokens(PretrainedModel model) => MaxTokens ?? Math.Min(OptionDefaults.MaxTokens, model.Config.MaxTokens);

    internal IEnumerable<string> Faults(PretrainedModel model, int corpusCount)
    {
        if (!Enum.IsDefined(Measure)) yield return $"Measure is {Measure}; use {string.Join(" or ", Enum.GetNames<RetentionMeasure>())}.";
        if (Positions < MaskedPositions.FewestPerCorpus * Math.Max(1, corpusCount))
            yield return $"Positions is {Positions}; use {MaskedPositions.FewestPerCorpus} or more for each corpus (here {corpusCount}; usual: 2,000 in all).";
        if (MaxTokens is { } tokens && (tokens < OptionDefaults.FewestTokens || tokens > model.Config.MaxTokens))
            yield return $"MaxTokens is {tokens}; {model.Name} takes {OptionDefaults.FewestTokens} to {model.Config.MaxTokens}.";
        if (BatchSize is < 1 or > OptionDefaults.MostRows) yield return $"BatchSize is {BatchSize}; use 1 to {OptionDefaults.MostRows}.";
        if (Device is not null && ComputeDevice.Fault(Device) is { } fault) yield return fault;
    }

    /// <summary>What is wrong before the model is known.</summary>
    internal IEnumerable<string> ColumnFaults()
    {
        if (ScoreColumnName is { } name && string.IsNullOrWhiteSpace(name)) yield return "ScoreColumnName is empty; name a column, or use null where there is one model.";
    }
}

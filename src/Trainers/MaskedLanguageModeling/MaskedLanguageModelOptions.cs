using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of pretraining and continued pretraining of an encoder by masked language modeling.</summary>
/// <remarks>Immutable. All faults are reported together when the trainer is created.</remarks>
public sealed record MaskedLanguageModelOptions
{
    /// <summary>Windows in one forward and backward pass.</summary>
    /// <value>1 to 65,536; default 32.</value>
    public int BatchSize { get; init; } = OptionDefaults.BatchSize;

    /// <summary>Passes whose gradients make one optimizer step.</summary>
    /// <value>1 to 65,536; default 1.</value>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Passes over the text.</summary>
    /// <value>1 or more; default 1.</value>
    public int MaxEpochs { get; init; } = 1;

    /// <summary>Length of a window; text is cut into windows of this many tokens, special tokens included.</summary>
    /// <value>8 to the model's own limit; null, the default, means 128 or the model's limit where that is lower.</value>
    public int? MaxTokens { get; init; }

    /// <summary>Peak learning rate.</summary>
    /// <value>Above 0 to 1,000; null, the default, means 1e-3 from random weights and 5e-5 from a checkpoint.</value>
    public double? LearningRate { get; init; }

    /// <summary>How the rate falls after warm-up.</summary>
    /// <value>Default <see cref="LearningRateSchedule.Linear"/>.</value>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Linear;

    /// <summary>Share of all steps over which the rate rises from zero.</summary>
    /// <value>0 to 1; default 0.06.</value>
    public double WarmupRatio { get; init; } = 0.06;

    /// <summary>Decoupled weight decay on matrices.</summary>
    /// <value>0 to 1,000; default 0.01.</value>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>A longer gradient is shortened to this before each step.</summary>
    /// <value>Above 0; default 1; null leaves gradients as they are.</value>
    public double? MaxGradientNorm { get; init; } = 1;

    /// <summary>Share of each window's tokens that the model has to guess.</summary>
    /// <value>Above 0 to below 1; default 0.15, as in arXiv 1810.04805.</value>
    public double MaskedShare { get; init; } = 0.15;

    /// <summary>Share of each batch's windows from which the model learns to guess every next token, seeing only what stands before it.</summary>
    /// <remarks>Every token is then a guess, which teaches a model that knows nothing several times faster than masks do; the result is still meant
    /// for masked tokens, so end with 0. Source: arXiv 2410.24159 (both objectives in one model) and 2507.00994 (one after the other).</remarks>
    /// <value>0 to 1; default 0.</value>
    public double CausalShare { get; init; }

    /// <summary>The seed of everything random: initial values, order, masks, dropout.</summary>
    /// <value>Any number; default 1.</value>
    public int Seed { get; init; } = 1;

    /// <summary>Where to train.</summary>
    /// <value>"cpu", "cuda", "cuda:1"…; null, the default, takes cuda:0 when usable, else the CPU.</value>
    public string? Device { get; init; }

    /// <summary>Hears of every optimizer step, on the training thread.</summary>
    /// <value>Null, the default, for none.</value>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Stops training within one optimizer step, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal int EffectiveMaxTokens(PretrainedModel model) => MaxTokens ?? Math.Min(OptionDefaults.MaxTokens, model.Config.MaxTokens);

    internal double EffectiveLearningRate(PretrainedModel model) => LearningRate ?? (model.HasWeights ? 5e-5 : 1e-3);

    internal IEnumerable<string> Faults(PretrainedModel model) =>
        OptionFaults.OfTraining(BatchSize, GradientAccumulationSteps, MaxEpochs, MaxTokens, LearningRate, Schedule, WarmupRatio, WeightDecay,
                MaxGradientNorm, Device, model)
            .Concat(MaskedShare is > 0 and < 1 ? [] : [$"MaskedShare is {MaskedShare}; use a share above 0 and below 1 (usual: 0.15)."])
            .Concat(CausalShare is >= 0 and <= 1 ? [] : [$"CausalShare is {CausalShare}; use a share from 0 to 1 (usual: 0)."]);
}

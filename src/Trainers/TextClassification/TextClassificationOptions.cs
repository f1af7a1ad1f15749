using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of LoraTextClassification and FullFineTuningTextClassification.</summary>
/// <remarks>Immutable: a fit never changes its options. All faults are reported together when the trainer is created.</remarks>
public sealed record TextClassificationOptions
{
    /// <summary>The column with the class of each row.</summary>
    /// <value>A key column, as MapValueToKey makes it; default "Label".</value>
    public string LabelColumnName { get; init; } = OptionDefaults.Label;

    /// <summary>The column with the text, or with the first text of a pair.</summary>
    /// <value>A text column; default "Sentence1".</value>
    public string Sentence1ColumnName { get; init; } = OptionDefaults.Sentence1;

    /// <summary>The column with the second text of a pair.</summary>
    /// <value>A text column, or null (default) for single texts.</value>
    public string? Sentence2ColumnName { get; init; }

    /// <summary>The column that receives one number per class.</summary>
    /// <value>Default "Score".</value>
    public string ScoreColumnName { get; init; } = OptionDefaults.Score;

    /// <summary>The column that receives the predicted class, as a key with the label's values.</summary>
    /// <value>Default "PredictedLabel".</value>
    public string OutputColumnName { get; init; } = OptionDefaults.PredictedLabel;

    /// <summary>What <see cref="ScoreColumnName"/> holds.</summary>
    /// <value>Default <see cref="ScoreKind.Probability"/>.</value>
    public ScoreKind ScoreKind { get; init; } = ScoreKind.Probability;

    /// <summary>Rows in one forward and backward pass, and at most in one scoring pass.</summary>
    /// <value>1 to 65,536; default 32.</value>
    public int BatchSize { get; init; } = OptionDefaults.BatchSize;

    /// <summary>Passes whose gradients make one optimizer step: a larger effective batch without its memory.</summary>
    /// <value>1 to 65,536; default 1.</value>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Passes over the training rows; fewer when validation stops improving.</summary>
    /// <value>1 or more; default 10.</value>
    public int MaxEpochs { get; init; } = OptionDefaults.MaxEpochs;

    /// <summary>Longer rows are cut to this many tokens, special tokens included; a pair loses from its longer text first.</summary>
    /// <value>8 to the model's own limit; default 128, or the model's limit where that is lower.</value>
    public int? MaxTokens { get; init; }

    /// <summary>Peak learning rate.</summary>
    /// <value>
    /// Above 0 to 1,000; null, the default, takes the checkpoint's card: for a checkpoint without one LoRA 1.5e-4 · 16 / alpha and full 1e-5.
    /// </value>
    public double? LearningRate { get; init; }

    /// <summary>How the rate falls after warm-up.</summary>
    /// <value>Default <see cref="LearningRateSchedule.Linear"/>.</value>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Linear;

    /// <summary>Share of all steps over which the rate rises from zero.</summary>
    /// <value>0 to 1; default 0.06.</value>
    public double WarmupRatio { get; init; } = 0.06;

    /// <summary>Decoupled weight decay on matrices, per step and times the learning rate.</summary>
    /// <value>0 to 1,000; default 0.</value>
    public double WeightDecay { get; init; }

    /// <summary>A longer gradient (2-norm over all parameters) is shortened to this before each step.</summary>
    /// <value>Above 0; default 1; null leaves gradients as they are.</value>
    public double? MaxGradientNorm { get; init; } = 1;

    /// <summary>Dropout in the encoder and the head during training, in place of what the checkpoint's config.json says.</summary>
    /// <value>0 to below 1; null, the default, keeps the checkpoint's own.</value>
    public double? Dropout { get; init; }

    /// <summary>How much each class counts in the loss.</summary>
    /// <value>Default <see cref="ClassWeighting.None"/>.</value>
    public ClassWeighting ClassWeighting { get; init; } = ClassWeighting.None;

    /// <summary>Factors on the loss of single classes, by class name, on top of <see cref="ClassWeighting"/>.</summary>
    /// <value>Each above 0; a class not named counts 1. Null, the default, names none.</value>
    public IReadOnlyDictionary<string, double>? ClassWeights { get; init; }

    /// <summary>Rows that judge each epoch; the best epoch's weights are kept.</summary>
    /// <value>
    /// Holds the text columns and the label column, as a key or raw: labels are matched to the training keys by value. Null, the default,
    /// for none.
    /// </value>
    public IDataView? ValidationSet { get; init; }

    /// <summary>Share of the training rows held out to judge each epoch, drawn by seed so that every class keeps its share.</summary>
    /// <value>0 (default: none) to 0.5; not together with <see cref="ValidationSet"/>.</value>
    public double ValidationFraction { get; init; }

    /// <summary>Epochs without improvement on the validation rows before training stops.</summary>
    /// <value>1 or more; default 3. Without validation it has no effect.</value>
    public int EarlyStoppingPatience { get; init; } = 3;

    /// <summary>The seed of everything random in the fit: initial values, row order, dropout, the held-out share.</summary>
    /// <value>Any number; null, the default, draws one from the MLContext, which repeats when that has a seed.</value>
    public int? Seed { get; init; }

    /// <summary>Where to train and score.</summary>
    /// <value>
    /// "cpu", "cuda", "cuda:1"…; null, the default, follows MLContext.GpuDeviceId and FallbackToCpu, and without an id takes cuda:0 when
    /// usable, else the CPU.
    /// </value>
    public string? Device { get; init; }

    /// <summary>The adapter; full fine-tuning takes no notice of it.</summary>
    /// <value>Default: every option at its own default (rank 8 on every linear map of the encoder).</value>
    public LoraOptions Lora { get; init; } = new();

    /// <summary>A fine-tuned classifier whose weights training starts from: its adapter and head, or all its weights.</summary>
    /// <value>
    /// Fine-tuned from the same base (by content); null, the default, starts from the base alone. A LoRA fit wants an adapter of the same rank,
    /// alpha and targets; a full fit takes a fully tuned model or merges an adapter. Its classes come first, in its order, and are matched by
    /// value; classes that only the new rows have are appended, with freshly drawn rows of the head; classes without new rows stay. AdamW's
    /// moments start at zero and the schedule from its beginning: a model file holds neither.
    /// </value>
    public InitialModel? InitialModel { get; init; }

    /// <summary>What a saved model holds of the base.</summary>
    /// <value>Default <see cref="BaseStorage.Embedded"/>.</value>
    public BaseStorage BaseStorage { get; init; } = BaseStorage.Embedded;

    /// <summary>Hears of every optimizer step, on the training thread.</summary>
    /// <value>Null, the default, for none.</value>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Stops the fit within one optimizer step, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal int EffectiveMaxTokens(PretrainedModel model) => MaxTokens ?? Math.Min(OptionDefaults.MaxTokens, model.Config.MaxTokens);

    internal double EffectiveLearningRate(PretrainedModel model, FineTuningMethod method) =>
        LearningRate ?? (method is FineTuningMethod.Lora ? model.Card.LoraLearningRate(Lora.EffectiveAlpha) : model.Card.FullLearningRate);

    /// <summary>Everything that is wrong, each as one sentence; empty when all is well.</summary>
    internal IEnumerable<string> Faults(PretrainedModel model, FineTuningMethod method)
    {
        foreach (var (option, name) in new[]
        {
            (nameof(LabelColumnName), LabelColumnName), (nameof(Sentence1ColumnName), Sentence1ColumnName),
            (nameof(ScoreColumnName), ScoreColumnName), (nameof(OutputColumnName), OutputColumnName),
        })
        {
            if (string.IsNullOrWhiteSpace(name)) yield return $"{option} is empty; name a column.";
        }
        if (Sentence2ColumnName is { } second && string.IsNullOrWhiteSpace(second))
            yield return $"{nameof(Sentence2ColumnName)} is empty; name a column, or use null for single texts.";
        if (ScoreColumnName == OutputColumnName)
            yield return $"{nameof(ScoreColumnName)} and {nameof(OutputColumnName)} are both '{ScoreColumnName}'; use two names.";

        foreach (var fault in OptionFaults.OfTraining(BatchSize, GradientAccumulationSteps, MaxEpochs, MaxTokens, LearningRate, Schedule,
                     WarmupRatio, WeightDecay, MaxGradientNorm, Device, model))
        {
            yield return fault;
        }
        if (Dropout is { } dropout && dropout is not (>= 0 and < 1)) yield return $"Dropout is {dropout}; use a share from 0 to below 1.";
        if (ValidationFraction is not (>= 0 and <= 0.5)) yield return $"ValidationFraction is {ValidationFraction}; use a share from 0 to 0.5.";
        if (ValidationFraction > 0 && ValidationSet is not null)
            yield return "ValidationSet and ValidationFraction are both given; use one of them.";
        if (EarlyStoppingPatience < 1) yield return $"EarlyStoppingPatience is {EarlyStoppingPatience}; use 1 or more.";
        foreach (var (name, weight) in ClassWeights ?? new Dictionary<string, double>())
            if (weight is not (> 0 and < double.PositiveInfinity)) yield return $"ClassWeights['{name}'] is {weight}; use a value above 0.";
        if (!Enum.IsDefined(ClassWeighting)) yield return $"ClassWeighting is {ClassWeighting}; use None or Balanced.";
        if (!Enum.IsDefined(ScoreKind)) yield return $"ScoreKind is {ScoreKind}; use Probability or Logit.";
        if (!Enum.IsDefined(BaseStorage)) yield return $"BaseStorage is {BaseStorage}; use Embedded, Reference or TunedOnly.";

        if (method is FineTuningMethod.Lora)
        {
            foreach (var fault in Lora.Faults(model.Projections)) yield return fault;
            if (BaseStorage is BaseStorage.TunedOnly)
                yield return "BaseStorage is TunedOnly, but an adapter is nothing without its base; use Embedded or Reference.";
        }
        if (InitialModel?.Path is { } path && !File.Exists(path))
            yield return $"InitialModel is '{path}'; there is no such file. Name a model file, or null to start from {model.Name} alone.";
        if (BaseStorage is BaseStorage.Reference && model.Folder is null)
            yield return $"BaseStorage is Reference, but {model.Name} is no folder that could be referred to; use Embedded.";
    }
}

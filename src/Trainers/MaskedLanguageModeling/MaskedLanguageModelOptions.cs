using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of pretraining and continued pretraining of an encoder by masked language modeling.</summary>
/// <remarks>Immutable. All faults are reported together when the trainer is created.</remarks>
public sealed record MaskedLanguageModelOptions
{
    /// <summary>For MaskedLanguageModel in a pipeline: the column with the text, a paragraph a row in reading order; an empty row ends a document.</summary>
    /// <value>A text column; default "Sentence1". A trainer that is given paragraphs takes no notice of it, nor of the next three.</value>
    public string Sentence1ColumnName { get; init; } = OptionDefaults.Sentence1;

    /// <summary>For MaskedLanguageModel in a pipeline: the column that receives the text's vector, the mean of its last hidden states.</summary>
    /// <value>Default "Features", as ML.NET's trainers expect it.</value>
    public string OutputColumnName { get; init; } = OptionDefaults.Features;

    /// <summary>For MaskedLanguageModel in a pipeline: the column that receives the mean loss of the text's tokens, in nats: how strange it is.</summary>
    /// <value>Null, the default, for none: it costs seven further passes over each row of which any column is read.</value>
    public string? LossColumnName { get; init; }

    /// <summary>For MaskedLanguageModel in a pipeline: rows whose loss is measured after each epoch; the best epoch's weights are kept.</summary>
    /// <value>Holds the text column. Null, the default, for none.</value>
    public IDataView? ValidationSet { get; init; }

    /// <summary>Windows in one forward and backward pass; in a pipeline also rows, at most, in one scoring pass.</summary>
    /// <value>1 to 65,536; default 32.</value>
    public int BatchSize { get; init; } = OptionDefaults.BatchSize;

    /// <summary>Passes whose gradients make one optimizer step.</summary>
    /// <value>1 to 65,536; default 1.</value>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Passes over the text.</summary>
    /// <value>1 or more; null, the default, means 1, or as many as <see cref="MaxSteps"/> takes where that is set.</value>
    public int? MaxEpochs { get; init; }

    /// <summary>Optimizer steps after which training stops, wherever in an epoch that is; the schedule ends there too.</summary>
    /// <value>1 or more; null, the default, leaves the end to <see cref="MaxEpochs"/>. Of both, what comes first counts.</value>
    public long? MaxSteps { get; init; }

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

    /// <summary>Whether the tokens of a word are masked all or none, so that a word is never guessed from its own pieces.</summary>
    /// <remarks>
    /// Words are what <see cref="Modeling.TextTokenizer.StartsWord"/> says, punctuation behind a word included where the tokenizer puts no
    /// space before it. Words too long for what is left of the share give way to others. Source: the "whole word masking" models of
    /// arXiv 1810.04805's authors.
    /// </remarks>
    /// <value>Default false: each token by itself.</value>
    public bool WholeWordMasking { get; init; }

    /// <summary>Share of each batch's windows from which the model learns to guess every next token, seeing only what stands before it.</summary>
    /// <remarks>Every token is then a guess, which teaches a model that knows nothing several times faster than masks do; the result is still meant
    /// for masked tokens, so end with 0. The number of windows is rounded. Source: arXiv 2410.24159 (both objectives in one model) and 2507.00994 (one after the other).</remarks>
    /// <value>0 to 1, of a batch neither none nor all when it is between; default 0.</value>
    public double CausalShare { get; init; }

    /// <summary>Weight of a second task in training: guessing a window's words, in any order, from its first token alone.</summary>
    /// <remarks>
    /// Masks ask nothing of the first token, and classifiers read a text from there. Training losses contain it, held-out losses do not.
    /// Causal windows have no part in it: their first token sees nothing else. Source: arXiv 2401.11248, section 3.3.
    /// </remarks>
    /// <value>0 to 100; default 0. Usual: 0.1 to 1, before a model is fine-tuned for classification.</value>
    public double BagOfWordsWeight { get; init; }

    /// <summary>Optimizer steps from one held-out loss to the next within an epoch, measured with the same masks each time.</summary>
    /// <remarks>In <see cref="TrainingProgress.ValidationLoss"/>, <see cref="TrainingReport.Evaluations"/> and the log. Needs held-out text.</remarks>
    /// <value>1 or more; null, the default, measures at the end of each epoch only.</value>
    public int? EvaluateEverySteps { get; init; }

    /// <summary>Where a run keeps what it needs to go on after it was stopped: weights, optimizer, random state, position.</summary>
    /// <remarks>
    /// A folder for one run at a time, created when missing. It holds the last two checkpoints, step-N; each is also a model folder for
    /// <see cref="PretrainedModel.FromFolder"/>. A checkpoint takes three to four times the room of the weights in float32, and while one is
    /// written there are three. One more is written when a run is cancelled. What is read from it is checked, and none of it is executed.
    /// </remarks>
    /// <value>Default null: none.</value>
    public string? CheckpointFolder { get; init; }

    /// <summary>Optimizer steps from one checkpoint to the next.</summary>
    /// <value>1 or more; default 1,000. Without <see cref="CheckpointFolder"/> it has no effect.</value>
    public int CheckpointEverySteps { get; init; } = 1000;

    /// <summary>Whether to go on from the latest checkpoint in <see cref="CheckpointFolder"/>; where there is none, training begins anew.</summary>
    /// <remarks>
    /// On the CPU the result is that of a run that was never stopped, to the bit. Text, model and settings must be the same; how often to
    /// evaluate and to write checkpoints, and the device, may change.
    /// </remarks>
    /// <value>Default false: a folder that already holds checkpoints is refused.</value>
    public bool Resume { get; init; }

    /// <summary>The seed of everything random: initial values, order, masks, dropout.</summary>
    /// <value>Any number; default 1.</value>
    public int Seed { get; init; } = 1;

    /// <summary>Where to train.</summary>
    /// <value>"cpu", "cuda", "cuda:1"…; null, the default, takes cuda:0 when usable, else the CPU.</value>
    public string? Device { get; init; }

    /// <summary>Hears of every optimizer step, on the training thread.</summary>
    /// <value>Null, the default, for none.</value>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Stops training within one optimizer step, with an OperationCanceledException, after one more checkpoint where there are any.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal int EffectiveMaxTokens(PretrainedModel model) => MaxTokens ?? Math.Min(OptionDefaults.MaxTokens, model.Config.MaxTokens);

    internal double EffectiveLearningRate(PretrainedModel model) => LearningRate ?? (model.HasWeights ? 5e-5 : 1e-3);

    internal IEnumerable<string> Faults(PretrainedModel model) =>
        OptionFaults.OfTraining(BatchSize, GradientAccumulationSteps, MaxEpochs ?? 1, MaxTokens, LearningRate, Schedule, WarmupRatio, WeightDecay,
                MaxGradientNorm, Device, model)
            .Concat(MaskedShare is > 0 and < 1 ? [] : [$"MaskedShare is {MaskedShare}; use a share above 0 and below 1 (usual: 0.15)."])
            .Concat(CausalFaults())
            .Concat(RunFaults())
            .Concat(VocabularyFaults(model));

    internal IEnumerable<string> ColumnFaults()
    {
        foreach (var (option, name) in new[]
        {
            (nameof(Sentence1ColumnName), Sentence1ColumnName), (nameof(OutputColumnName), OutputColumnName), (nameof(LossColumnName), LossColumnName ?? "-"),
        })
        {
            if (string.IsNullOrWhiteSpace(name)) yield return $"{option} is empty; name a column.";
        }
        if (LossColumnName == OutputColumnName)
            yield return $"{nameof(OutputColumnName)} and {nameof(LossColumnName)} are both '{OutputColumnName}'; use two names.";
        if (EvaluateEverySteps is not null && ValidationSet is null)
            yield return $"EvaluateEverySteps is {EvaluateEverySteps} without ValidationSet; give rows to evaluate on.";
    }

    internal WindowGuessing Guessing => new(MaskedShare, CausalShare, WholeWordMasking) { BagOfWordsWeight = BagOfWordsWeight };

    private IEnumerable<string> CausalFaults()
    {
        if (BagOfWordsWeight is not (>= 0 and <= 100))
            yield return $"BagOfWordsWeight is {BagOfWordsWeight}; use 0 to 100 (usual: 0, or 0.1 to 1).";
        if (CausalShare is not (>= 0 and <= 1))
            yield return $"CausalShare is {CausalShare}; use a share from 0 to 1 (usual: 0).";
        else if (CausalShare is > 0 and < 1 && Math.Round(CausalShare * BatchSize) is var windows && (windows <= 0 || windows >= BatchSize))
            yield return $"CausalShare is {CausalShare}, which of a batch of {BatchSize} is {(windows <= 0 ? "no window" : "every window")}; choose another share or a larger BatchSize.";
    }

    // A checkpoint has made its peace with its vocabulary; a model that begins would learn around the hole for good.
    private static IEnumerable<string> VocabularyFaults(PretrainedModel model)
    {
        if (model.HasWeights || model.Tokenizer.MissingByteCount is not (> 0 and var missing)) yield break;
        yield return $"The byte-level vocabulary of {model.Name} has {model.Tokenizer.VocabularySize} entries and cannot spell {missing} of the 256 bytes; "
            + "a model that begins from random weights needs them all, special tokens and merges besides (300 entries or more). "
            + "Make the tokenizer with the full byte alphabet.";
    }

    private IEnumerable<string> RunFaults()
    {
        if (MaxSteps < 1) yield return $"MaxSteps is {MaxSteps}; use 1 or more, or null for none.";
        if (EvaluateEverySteps < 1) yield return $"EvaluateEverySteps is {EvaluateEverySteps}; use 1 or more, or null for none.";
        if (CheckpointEverySteps < 1) yield return $"CheckpointEverySteps is {CheckpointEverySteps}; use 1 or more.";
        if (CheckpointFolder is not null && string.IsNullOrWhiteSpace(CheckpointFolder)) yield return "CheckpointFolder is blank; name a folder, or null for none.";
        if (Resume && CheckpointFolder is null) yield return "Resume is set without CheckpointFolder; name the folder with the checkpoints to go on from.";
    }
}

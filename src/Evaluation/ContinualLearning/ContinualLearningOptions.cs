using Microsoft.ML;

namespace MLNetLoRA;

/// <summary>All settings of ContinualLearning.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record ContinualLearningOptions
{
    /// <summary>What is trained in each stage.</summary>
    /// <value>Default <see cref="FineTuningMethod.Lora"/>.</value>
    public FineTuningMethod Method { get; init; } = FineTuningMethod.Lora;

    /// <summary>What becomes of a task's adapter; full fine-tuning always goes on from its last weights.</summary>
    /// <value>Default <see cref="AdapterHandling.Merge"/>.</value>
    public AdapterHandling Adapters { get; init; } = AdapterHandling.Merge;

    /// <summary>How each stage is trained.</summary>
    /// <value>
    /// Default: every setting at its own default. Text and label columns and the validation set are the tasks' own and not read here;
    /// ValidationSet and InitialModel must be null. Of a Seed, stages that go on from one another take it, the next number and so on, so that
    /// each task's adapter begins with an A of its own.
    /// </value>
    public TextClassificationOptions Training { get; init; } = new();

    /// <summary>
    /// What is done to a stage's model between its training and the next task: an estimator that comes after the trainer, such as
    /// RescaleIntruderDimensions. It is fitted on the stage's own training rows.
    /// </summary>
    /// <value>Null, the default, for nothing.</value>
    public IEstimator<ITransformer>? Repair { get; init; }

    /// <summary>How the heads are trained that test a stage.</summary>
    /// <value>Default: every setting at its own default.</value>
    public FreshHeadOptions Head { get; init; } = new();

    /// <summary>What makes an intruder dimension against the original base.</summary>
    /// <value>Default: every setting at its own default, the paper's. TopK is cut to the shorter side of smaller matrices.</value>
    public SpectralSettings Spectral { get; init; } = new();

    /// <summary>Hears what begins: the base's tests, then each stage's training, tests and search for intruders.</summary>
    /// <value>Null, the default, for none. Steps of the training are told to the Progress of <see cref="Training"/>.</value>
    public IProgress<string>? Progress { get; init; }

    /// <summary>Stops within one optimizer step, test pass or matrix, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal IEnumerable<string> Faults(PretrainedModel model)
    {
        if (!Enum.IsDefined(Method)) yield return $"Method is {Method}; use Lora or Full.";
        if (!Enum.IsDefined(Adapters)) yield return $"Adapters is {Adapters}; use Merge or Apart.";
        if (Method is FineTuningMethod.Full && Adapters is AdapterHandling.Apart)
            yield return "Adapters is Apart, but full fine-tuning has no adapters; use Merge, or Method Lora.";
        if (Training.ValidationSet is not null) yield return "Training.ValidationSet is given; rows to validate on belong to a task: set its ValidationSet.";
        if (Training.InitialModel is not null) yield return "Training.InitialModel is given; the first task starts from the base, each other from where the last ended.";
        foreach (var fault in Training.Faults(model, Method)) yield return $"Training: {fault}";
        foreach (var fault in Head.Faults(nameof(Head))) yield return fault;
        foreach (var fault in Spectral.Faults()) yield return $"Spectral: {fault}";
        if (!model.HasWeights) yield return $"'{model.Name}' has no pretrained weights, so there is nothing to be forgotten; give a checkpoint.";
    }
}

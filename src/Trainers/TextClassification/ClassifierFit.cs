using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>The network of one fit, built for training, and the training of it.</summary>
internal sealed class ClassifierFit : IDisposable
{
    private readonly PretrainedModel _model;
    private readonly FineTuningMethod _method;
    private readonly TextClassificationOptions _options;
    private readonly Device _device;
    private readonly FitRandomness _randomness;
    private readonly EncoderConfig _config;
    private readonly SharedWeights _base;
    private readonly ParameterSource _source;
    private readonly SequenceClassifier _network;
    private readonly string[] _keptKeys;

    /// <param name="model">What to start from.</param>
    /// <param name="method">What is trained.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="classCount">Two or more.</param>
    /// <param name="device">Where it is trained.</param>
    /// <param name="randomness">Draws what the model does not hold.</param>
    /// <param name="headRows">Which row of the model's own classification head stands for each class; null for a head drawn at random.</param>
    /// <param name="initial">The fine-tuned model to go on from, its head included; null to start from the base.</param>
    public ClassifierFit(
        PretrainedModel model, FineTuningMethod method, TextClassificationOptions options, int classCount, Device device, FitRandomness randomness,
        IReadOnlyList<int>? headRows = null, InitialClassifier? initial = null)
    {
        (_model, _method, _options, _device, _randomness) = (model, method, options, device, randomness);
        _config = options.Dropout is { } dropout
            ? model.Config with { HiddenDropout = dropout, AttentionDropout = dropout, ClassifierDropout = dropout }
            : model.Config;
        IProjectionFactory projections = method is FineTuningMethod.Lora ? new LoraProjections(options.Lora) : new PlainProjections();
        _base = SharedWeights.Acquire(model, device);
        try
        {
            using var scope = NewDisposeScope();     // what was made only to be copied into the network
            var weights = initial is null
                ? SequenceClassifier.StartingWeights(_base.Tensors, _config, headRows)
                : initial.Weights(method, _base.Tensors, classCount, device, randomness.Generator);
            _source = new ParameterSource(weights, device, IsTrainable, randomness.Generator);
            _network = new SequenceClassifier(new NetworkContext(_config, projections, randomness.Dropout), _source, classCount);
            // What an earlier fit drew in place of the base's, no checkpoint can give back either.
            _keptKeys = [.. _source.Initialized, .. initial?.Keys ?? []];
        }
        catch
        {
            _base.Dispose();
            throw;
        }
    }

    /// <summary>The network's trainable and frozen numbers: for a test that starts from given values.</summary>
    internal SequenceClassifier Network => _network;

    /// <summary>Parameters of the base that the checkpoint lacks; adapter and head are always drawn.</summary>
    public IReadOnlyList<string> DrawnAnew => [.. _source.Initialized.Intersect(_model.InitializedKeys)];

    public TrainingOutcome Train(EncodedRows training, EncodedRows validation, double[] classWeights, ITrainingObserver observer)
    {
        using var task = new ClassificationTask(_network, _config, training, validation, classWeights, _options.BatchSize, _device);
        return new TrainingLoop(task, Plan(), _randomness, observer, _keptKeys).Run();
    }

    public TrainingReport Report(TrainingOutcome outcome, int seed, EncodedRows training, EncodedRows validation, int unlabelledRows) =>
        new()
        {
            Method = _method is FineTuningMethod.Lora ? "lora" : "full",
            Device = _device.ToString(),
            Seed = seed,
            LearningRate = _options.EffectiveLearningRate(_model, _method),
            TrainingRows = training.Count,
            ValidationRows = validation.Count,
            TruncatedRows = training.TruncatedCount,
            EmptyRows = training.EmptyCount,
            UnlabelledRows = unlabelledRows,
            TrainableParameters = _network.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel()),
            TotalParameters = _network.parameters().Sum(parameter => parameter.numel()),
            Epochs = outcome.Epochs,
            Evaluations = outcome.Evaluations,
            KeptEpoch = outcome.KeptEpoch,
            TrainingSeconds = outcome.Seconds,
        };

    public void Dispose()
    {
        _network.Dispose();
        _base.Dispose();
    }

    private bool IsTrainable(string key) =>
        _method is FineTuningMethod.Full || LoraProjections.IsTrained(key, _options.Lora) || SequenceClassifier.IsHeadKey(key, _config);

    private TrainingPlan Plan() => new(
        _options.MaxEpochs, _options.BatchSize, _options.GradientAccumulationSteps, _options.EffectiveLearningRate(_model, _method),
        _options.Schedule, _options.WarmupRatio, _options.WeightDecay, _options.MaxGradientNorm, _options.EarlyStoppingPatience);
}

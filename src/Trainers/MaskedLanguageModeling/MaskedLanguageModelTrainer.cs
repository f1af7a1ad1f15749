using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>Pretrains an encoder on plain text by masked language modeling, from a checkpoint or from random weights.</summary>
/// <remarks>One training run at a time per object. Source: arXiv 1907.11692.</remarks>
public sealed class MaskedLanguageModelTrainer
{
    private readonly PretrainedModel _model;
    private readonly MaskedLanguageModelOptions _options;

    /// <summary>A trainer for <paramref name="model"/>.</summary>
    /// <exception cref="ArgumentException">An option is out of range; the message lists every fault.</exception>
    /// <exception cref="InvalidDataException">The model is an ELECTRA discriminator.</exception>
    public MaskedLanguageModelTrainer(PretrainedModel model, MaskedLanguageModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        model.RequireLanguageModel();
        OptionFaults.ThrowIfAny("MaskedLanguageModel", options.Faults(model));
        (_model, _options) = (model, options);
    }

    /// <summary>Trains and returns the model; the caller disposes it.</summary>
    /// <param name="training">Paragraphs in reading order; an empty string ends a document.</param>
    /// <param name="validation">The same, for the held-out loss after each epoch; null for none.</param>
    /// <param name="log">Told of the device, the windows and every epoch; null for silence.</param>
    /// <exception cref="ArgumentException">There is no text.</exception>
    /// <exception cref="TrainingDivergedException">The loss was no longer a number.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public MaskedLanguageModelFit Train(IEnumerable<string> training, IEnumerable<string>? validation = null, Action<string>? log = null)
    {
        var say = log ?? (_ => { });
        var maxTokens = _options.EffectiveMaxTokens(_model);
        var windows = PackedWindows.From(training, _model.Tokenizer, maxTokens);
        if (windows.Count == 0) throw new ArgumentException("There is no text to train on: every line is empty.", nameof(training));
        var heldOut = validation is null ? [] : PackedWindows.From(validation, _model.Tokenizer, maxTokens);
        var device = ComputeDevice.Choose(_options.Device, null, true, say);
        say($"Text: {windows.Count} windows of up to {maxTokens} tokens; {heldOut.Count} held out.");

        using var scope = NewDisposeScope();
        using var randomness = new FitRandomness(_options.Seed);
        using var shared = SharedWeights.Acquire(_model, device);
        var source = new ParameterSource(shared.Tensors, device, isTrainable: _ => true, randomness.Generator);
        using var network = new MaskedLanguageModel(new NetworkContext(_model.Config, new PlainProjections(), randomness.Dropout), source);
        var task = new MaskedLanguageModelTask(
            network, _model, windows, heldOut, _options.MaskedShare, _options.CausalShare, _options.BatchSize, randomness, device);

        var rate = _options.EffectiveLearningRate(_model);
        var plan = new TrainingPlan(
            _options.MaxEpochs, _options.BatchSize, _options.GradientAccumulationSteps, rate, _options.Schedule, _options.WarmupRatio,
            _options.WeightDecay, _options.MaxGradientNorm, Patience: int.MaxValue)
        {
            SecondMomentDecay = 0.98,               // arXiv 1907.11692, section 3.1: early gradients change too fast for 0.999
        };
        var observer = new OptionsObserver(_options.CancellationToken, _options.Progress, say);
        var outcome = new TrainingLoop(task, plan, randomness, observer, source.Initialized).Run();
        KeepUntrained(outcome.Weights, shared, source);
        var parameterCount = network.parameters().Sum(parameter => parameter.numel());
        var report = new TrainingReport
        {
            Method = "full",
            Device = device.ToString(),
            Seed = _options.Seed,
            LearningRate = rate,
            TrainingRows = windows.Count,
            ValidationRows = heldOut.Count,
            TruncatedRows = 0,
            EmptyRows = 0,
            UnlabelledRows = 0,
            TrainableParameters = parameterCount,
            TotalParameters = parameterCount,
            Epochs = outcome.Epochs,
            KeptEpoch = outcome.KeptEpoch,
            TrainingSeconds = outcome.Seconds,
        };
        var fit = new MaskedLanguageModelFit(_model, outcome.Weights, maxTokens, _options, device, report);
        if (outcome.Divergence is not { } divergence) return fit;
        if (outcome.KeptEpoch > 0) throw new TrainingDivergedException(divergence, outcome.KeptEpoch, lastGoodEncoder: fit);
        fit.Dispose();
        throw new TrainingDivergedException(divergence, lastGoodEpoch: null);
    }

    // BERT's pooler is no part of the language model, and must still be there when the result is fine-tuned.
    private static void KeepUntrained(Dictionary<string, Tensor> weights, SharedWeights shared, ParameterSource source)
    {
        using var _ = no_grad();
        foreach (var key in shared.Tensors.Keys.Except(source.Taken))
            weights.Add(key, shared.Tensors[key].clone().DetachFromDisposeScope());
    }
}

using System.Globalization;
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
    /// <param name="log">Told of the device, the windows, every evaluation and every epoch; null for silence.</param>
    /// <exception cref="ArgumentException">There is no text, or none to evaluate on; or the checkpoint folder is in use by an earlier run that is not to be resumed.</exception>
    /// <exception cref="InvalidDataException">The checkpoint to go on from is damaged, or of another run; the message names every difference.</exception>
    /// <exception cref="IOException">A checkpoint could not be written; the one before it is whole.</exception>
    /// <exception cref="TrainingDivergedException">The loss was no longer a number.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public MaskedLanguageModelFit Train(IEnumerable<string> training, IEnumerable<string>? validation = null, Action<string>? log = null)
    {
        ArgumentNullException.ThrowIfNull(training);
        var say = log ?? (_ => { });
        return Train(training, validation, say, new OptionsObserver(_options.CancellationToken, _options.Progress, say), DeviceChoice.Free);
    }

    internal MaskedLanguageModelFit Train(
        IEnumerable<string> training, IEnumerable<string>? validation, Action<string> say, ITrainingObserver observer, DeviceChoice choice)
    {
        using var checkpoints = OpenCheckpoints(say);       // before the text is read: that may take a while
        var (windows, heldOut) = ReadWindows(training, validation, observer, say);
        var device = ComputeDevice.Choose(_options.Device, choice.GpuDeviceId, choice.FallbackToCpu, say);
        using var scope = NewDisposeScope();
        using var randomness = new FitRandomness(_options.Seed);
        using var shared = SharedWeights.Acquire(_model, device);
        var source = new ParameterSource(shared.Tensors, device, isTrainable: _ => true, randomness.Generator);
        using var network = new MaskedLanguageModel(new NetworkContext(_model.Config, new PlainProjections(), randomness.Dropout), source);
        var task = new MaskedLanguageModelTask(
            network, _model, windows, heldOut, _options.Guessing, _options.BatchSize, randomness, device);

        var plan = Plan(windows.Count);
        checkpoints?.Use(new TrainingCheckpointFormat(
            Fingerprint(plan, windows, heldOut),
            (folder, weights) => MaskedLanguageModelFit.WriteFolder(folder, _model, [.. weights, .. Untrained(shared, source)], float32)));
        var outcome = new TrainingLoop(task, plan, randomness, observer, source.Initialized, checkpoints).Run();
        KeepUntrained(outcome.Weights, shared, source);
        return Finish(outcome, network, plan, windows.Count, heldOut.Count, device);
    }

    private TrainingCheckpoints? OpenCheckpoints(Action<string> say)
    {
        if (_options.CheckpointFolder is not { } folder) return null;
        var checkpoints = TrainingCheckpoints.Open(folder, _options.CheckpointEverySteps, _options.Resume);
        if (_options.Resume)
            say(checkpoints.ResumedFrom is { } from ? $"Going on from {from}." : $"There is no checkpoint in {folder} yet; training begins.");
        return checkpoints;
    }

    private (List<EncodedText> Training, List<EncodedText> HeldOut) ReadWindows(
        IEnumerable<string> training, IEnumerable<string>? validation, ITrainingObserver observer, Action<string> say)
    {
        var windows = Pack(training);
        if (windows.Count == 0) throw new ArgumentException("There is no text to train on: every line is empty.", nameof(training));
        var heldOut = validation is null ? [] : Pack(validation);
        if (_options.EvaluateEverySteps is { } every && heldOut.Count == 0)
            throw new ArgumentException($"EvaluateEverySteps is {every}, but there is no held-out text to evaluate on; give some, or leave it out.", nameof(validation));
        say($"Text: {windows.Count} windows of up to {_options.EffectiveMaxTokens(_model)} tokens; {heldOut.Count} held out.");
        return (windows, heldOut);

        List<EncodedText> Pack(IEnumerable<string> paragraphs) =>
            PackedWindows.From(paragraphs, _model.Tokenizer, _options.EffectiveMaxTokens(_model), observer.CheckCancelled);
    }

    private TrainingPlan Plan(int rowCount)
    {
        var plan = new TrainingPlan(
            _options.MaxEpochs ?? 1, _options.BatchSize, _options.GradientAccumulationSteps, _options.EffectiveLearningRate(_model), _options.Schedule,
            _options.WarmupRatio, _options.WeightDecay, _options.MaxGradientNorm, Patience: int.MaxValue)
        {
            SecondMomentDecay = 0.98,               // arXiv 1907.11692, section 3.1: early gradients change too fast for 0.999
            MaxSteps = _options.MaxSteps,
            EvaluateEverySteps = _options.EvaluateEverySteps,
        };
        if (_options.MaxSteps is not { } steps) return plan;
        var epochs = (steps - 1) / plan.StepsPerEpoch(rowCount) + 1;
        return plan with { MaxEpochs = (int)Math.Min(epochs, _options.MaxEpochs ?? int.MaxValue) };
    }

    // Only what decides which weights come out: the same facts give the same weights.
    private TrainingFingerprint Fingerprint(TrainingPlan plan, List<EncodedText> windows, List<EncodedText> heldOut)
    {
        FormattableString[] settings =
        [
            $"{nameof(_options.BatchSize)}:{plan.BatchSize}", $"{nameof(_options.GradientAccumulationSteps)}:{plan.AccumulationSteps}",
            $"{nameof(_options.MaxEpochs)}:{plan.MaxEpochs}", $"{nameof(_options.MaxSteps)}:{plan.MaxSteps?.ToString(CultureInfo.InvariantCulture) ?? "none"}",
            $"{nameof(_options.MaxTokens)}:{_options.EffectiveMaxTokens(_model)}", $"{nameof(_options.LearningRate)}:{plan.LearningRate:R}",
            $"{nameof(_options.Schedule)}:{plan.Schedule}", $"{nameof(_options.WarmupRatio)}:{plan.WarmupRatio:R}",
            $"{nameof(_options.WeightDecay)}:{plan.WeightDecay:R}",
            $"{nameof(_options.MaxGradientNorm)}:{plan.MaxGradientNorm?.ToString("R", CultureInfo.InvariantCulture) ?? "none"}",
            $"{nameof(_options.MaskedShare)}:{_options.MaskedShare:R}", $"{nameof(_options.CausalShare)}:{_options.CausalShare:R}",
            $"{nameof(_options.BagOfWordsWeight)}:{_options.BagOfWordsWeight:R}",
            $"{nameof(_options.WholeWordMasking)}:{_options.WholeWordMasking}", $"{nameof(_options.Seed)}:{_options.Seed}",
        ];
        return new TrainingFingerprint(new Dictionary<string, string>(
        [
            .. settings.Select(setting => FormattableString.Invariant(setting).Split(':', 2)).Select(pair => KeyValuePair.Create(pair[0], pair[1])),
            .. TrainingFingerprint.Of(_model.Config),
            .. TrainingFingerprint.Of(_model.Tokenizer),
            KeyValuePair.Create("the base model's content", _model.ContentHash),
            KeyValuePair.Create("the training text", TrainingFingerprint.Of(windows)),
            KeyValuePair.Create("the held-out text", TrainingFingerprint.Of(heldOut)),
        ]));
    }

    private MaskedLanguageModelFit Finish(
        TrainingOutcome outcome, MaskedLanguageModel network, TrainingPlan plan, int trainingCount, int heldOutCount, Device device)
    {
        var parameterCount = network.parameters().Sum(parameter => parameter.numel());
        var report = new TrainingReport
        {
            Method = "full",
            Device = device.ToString(),
            Seed = _options.Seed,
            LearningRate = plan.LearningRate,
            TrainingRows = trainingCount,
            ValidationRows = heldOutCount,
            TruncatedRows = 0,
            EmptyRows = 0,
            UnlabelledRows = 0,
            TrainableParameters = parameterCount,
            TotalParameters = parameterCount,
            Epochs = outcome.Epochs,
            Evaluations = outcome.Evaluations,
            KeptEpoch = outcome.KeptEpoch,
            TrainingSeconds = outcome.Seconds,
        };
        var fit = new MaskedLanguageModelFit(_model, outcome.Weights, _options.EffectiveMaxTokens(_model), _options, device, report);
        if (outcome.Divergence is not { } divergence) return fit;
        if (outcome.KeptEpoch > 0) throw new TrainingDivergedException(divergence, outcome.KeptEpoch, lastGoodEncoder: fit);
        fit.Dispose();
        throw new TrainingDivergedException(divergence, lastGoodEpoch: null);
    }

    private static void KeepUntrained(Dictionary<string, Tensor> weights, SharedWeights shared, ParameterSource source)
    {
        using var _ = no_grad();
        foreach (var (key, tensor) in Untrained(shared, source)) weights.Add(key, tensor.clone().DetachFromDisposeScope());
    }

    // BERT's pooler is no part of the language model, and must still be there when the result is fine-tuned.
    private static IEnumerable<KeyValuePair<string, Tensor>> Untrained(SharedWeights shared, ParameterSource source) =>
        shared.Tensors.Where(weight => !source.Taken.Contains(weight.Key));
}

using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>An encoder after masked-language-model training.</summary>
/// <remarks>Owns its weights: dispose it. Not thread-safe.</remarks>
public sealed class MaskedLanguageModelFit : IDisposable
{
    private readonly PretrainedModel _model;
    private readonly Dictionary<string, Tensor> _weights;
    private readonly int _maxTokens;
    private readonly MaskedLanguageModelOptions _options;
    private readonly Device _device;
    private bool _isDisposed;

    internal MaskedLanguageModelFit(
        PretrainedModel model, Dictionary<string, Tensor> weights, int maxTokens, MaskedLanguageModelOptions options, Device device, TrainingReport report)
    {
        (_model, _weights, _maxTokens, _options, _device, Report) = (model, weights, maxTokens, options, device, report);
    }

    /// <summary>What training did; rows are windows.</summary>
    public TrainingReport Report { get; }

    /// <summary>Mean loss on other text, in nats per masked token, and how many tokens were masked.</summary>
    /// <param name="paragraphs">Paragraphs in reading order; an empty string ends a document.</param>
    /// <exception cref="ArgumentException">There is no text.</exception>
    public (double Loss, long Tokens) Evaluate(IEnumerable<string> paragraphs)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var windows = PackedWindows.From(paragraphs, _model.Tokenizer, _maxTokens);
        if (windows.Count == 0) throw new ArgumentException("There is no text to evaluate: every line is empty.", nameof(paragraphs));
        using var scope = NewDisposeScope();
        using var randomness = new FitRandomness(_options.Seed);
        var source = new ParameterSource(_weights, _device, isTrainable: _ => false, generator: null);
        using var network = new MaskedLanguageModel(new NetworkContext(_model.Config, new PlainProjections(), null), source);
        var task = new MaskedLanguageModelTask(
            network, _model, windows, [], _options.Guessing, _options.BatchSize, randomness, _device);
        return task.MeanLoss(windows, () => _options.CancellationToken.ThrowIfCancellationRequested());
    }

    /// <summary>Writes a checkpoint folder in Hugging Face's layout: config.json, model.safetensors, the tokenizer's files, and fine_tuning.json when
    /// the model that training started from has recommendations of its own.</summary>
    /// <remarks>A model already in the folder is replaced, its weights first: writing that was cut off leaves no model rather than a mixture.</remarks>
    /// <param name="folder">Created when missing.</param>
    /// <param name="inBFloat16">Store weights in half the space, rounded to 8 significant bits.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public void SaveFolder(string folder, bool inBFloat16 = false)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        WriteFolder(folder, _model, _weights, inBFloat16 ? bfloat16 : float32);
    }

    /// <summary>Writes a model's own weights as a checkpoint folder.</summary>
    internal static void WriteFolder(string folder, PretrainedModel model, bool inBFloat16)
    {
        using var shared = SharedWeights.Acquire(model, CPU);
        WriteFolder(folder, model, shared.Tensors, inBFloat16 ? bfloat16 : float32);
    }

    /// <summary>Writes weights of <paramref name="model"/>'s architecture as a checkpoint folder.</summary>
    internal static void WriteFolder(string folder, PretrainedModel model, IEnumerable<KeyValuePair<string, Tensor>> weights, ScalarType dataType) =>
        CheckpointFolder.Write(
            folder, model.Config, model.Tokenizer, new Dictionary<string, Tensor>(weights), dataType,
            model.Config.MaskedLanguageModelArchitecture, model.Card);

    /// <summary>Where it was trained.</summary>
    internal Device Device => _device;

    /// <summary>The trained weights as a model to start from, with weights of its own; the caller disposes it.</summary>
    internal EmbeddedModel ToModel()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return EmbeddedModel.Of($"{_model.Name} (pretrained further)", _model.Config, _model.Tokenizer, _model.Card, _weights);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _isDisposed = true;
        foreach (var weight in _weights.Values) weight.Dispose();
    }
}

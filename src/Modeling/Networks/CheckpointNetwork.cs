using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The network that a checkpoint holds, ready to run: a masked language model, or a classifier.</summary>
/// <remarks>
/// Needs no tokenizer: ids go in. Owns its weights, which are float32 whatever they are stored as; dispose it. Forward is thread-safe.
/// </remarks>
public sealed class CheckpointNetwork : IDisposable
{
    private readonly nn.Module _network;
    private readonly Func<TokenBatch, (Tensor, Tensor)> _forward;
    private readonly SharedWeights? _share;

    private CheckpointNetwork(EncoderConfig config, int? classCount, Device device, ParameterSource source, SharedWeights? share = null)
    {
        (Config, ClassCount, Device, _share) = (config, classCount, device, share);
        var context = new NetworkContext(config, new PlainProjections(), Dropout: null);
        if (classCount is { } classes)
        {
            var classifier = new SequenceClassifier(context, source, classes);
            (_network, _forward) = (classifier, classifier.ForwardWithHiddenState);
        }
        else
        {
            var languageModel = new MaskedLanguageModel(context, source);
            (_network, _forward) = (languageModel, languageModel.ForwardWithHiddenState);
        }
        _network.eval();
    }

    /// <summary>Sizes and constants.</summary>
    public EncoderConfig Config { get; }

    /// <summary>How many classes the classification head tells apart; null for a masked language model.</summary>
    public int? ClassCount { get; }

    /// <summary>Where the network runs: batches must be there too.</summary>
    public Device Device { get; }

    /// <summary>Opens a folder with config.json and safetensors weights; its head decides which network it is.</summary>
    /// <param name="folder">
    /// A head <c>lm_head.*</c> or <c>cls.predictions.*</c> makes a masked language model, <c>classifier.*</c> a classifier; of both, the
    /// one that <c>architectures</c> in config.json names, else the masked language model.
    /// </param>
    /// <param name="device">Where the network runs.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged, contradicts another, or there is no head.</exception>
    public static CheckpointNetwork Open(string folder, Device device)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder with config.json and {Checkpoint.FileName}.");
        var configPath = Path.Combine(folder, "config.json");
        var config = EncoderConfig.FromFile(configPath);
        using var checkpoint = Checkpoint.Open(folder);
        using var scope = NewDisposeScope();     // the network's parameters share the storage of what is read, and keep it

        var fileKeys = CheckpointKeys.InFile(checkpoint, config);
        var classCount = ChooseHead(folder, checkpoint, fileKeys, config, NamesClassifier(configPath));
        return new CheckpointNetwork(config, classCount, device, Load(folder, checkpoint, fileKeys, config, classCount, device));
    }

    /// <summary>The masked language model of a pretrained model.</summary>
    /// <exception cref="InvalidDataException">It has no masked-language-model head, or its weights cannot be read.</exception>
    public static CheckpointNetwork Open(PretrainedModel model, Device device)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!model.HasWeights || !model.HasLanguageModelHead)
            throw new InvalidDataException($"{model.Name}: there is no masked-language-model head to run.");
        var share = SharedWeights.Acquire(model, device);
        return new CheckpointNetwork(model.Config, null, device, new ParameterSource(share.Tensors, device, _ => false, generator: null), share);
    }

    /// <summary>Runs the network without gradients.</summary>
    /// <returns>
    /// Logits, (batch, tokens, vocabulary) or (batch, classes), and the last hidden state, (batch, tokens, hidden); the caller owns both.
    /// </returns>
    public (Tensor Logits, Tensor LastHiddenState) Forward(TokenBatch batch)
    {
        using var _ = no_grad();
        return _forward(batch);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _share?.Dispose();
    }

    private static int? ChooseHead(
        string folder, Checkpoint checkpoint, Dictionary<string, string> fileKeys, EncoderConfig config, bool namesClassifier)
    {
        var hasLanguageModel = fileKeys.Keys.Any(MaskedLanguageModel.IsHeadKey);
        var classesKey = ClassificationHead.ClassesWeightKey(config.Family);
        if (!fileKeys.TryGetValue(classesKey, out var fileKey))
        {
            return hasLanguageModel ? null : throw new InvalidDataException(
                $"{folder}: the checkpoint has no head to run (no lm_head.*, cls.predictions.* or {classesKey}); "
                + "use a masked-language-model or sequence-classification checkpoint.");
        }
        if (hasLanguageModel && !namesClassifier) return null;
        var shape = checkpoint.Entries[fileKey].Shape;
        return shape.Count == 2 && shape[0] is > 0 and <= int.MaxValue ? (int)shape[0] : throw new InvalidDataException(
            $"{folder}: {classesKey} is ({string.Join(", ", shape)}); (classes, {config.HiddenSize}) was wanted.");
    }

    private static bool NamesClassifier(string configPath)
    {
        using var document = StrictJson.ParseObject(StrictJson.ReadBounded(configPath, EncoderConfigJson.MaxBytes), configPath);
        return document.RootElement.TryGetProperty("architectures", out var names) && names.ValueKind is JsonValueKind.Array
            && names.EnumerateArray().Any(name =>
                name.ValueKind is JsonValueKind.String && name.GetString()!.EndsWith("ForSequenceClassification", StringComparison.Ordinal));
    }

    private static ParameterSource Load(
        string folder, Checkpoint checkpoint, Dictionary<string, string> fileKeys, EncoderConfig config, int? classCount, Device device)
    {
        var asked = classCount is { } classes ? NetworkShapes.OfClassifier(config, classes) : NetworkShapes.OfMaskedLanguageModel(config);
        var complaints = NetworkShapes.Complaints(
            asked, key => fileKeys.TryGetValue(key, out var fileKey) ? checkpoint.Entries[fileKey].Shape : null, mayMiss: _ => false);
        if (complaints.Count > 0)
            throw new InvalidDataException($"{folder}: {string.Join(", ", complaints)}. Use the config.json that belongs to these weights.");

        var weights = asked.Keys.ToDictionary(key => key, key => checkpoint.ReadFinite(fileKeys[key], ScalarType.Float32, device));
        return new ParameterSource(weights, device, isTrainable: _ => false, generator: null);
    }
}

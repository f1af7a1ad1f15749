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

    private CheckpointNetwork(
        EncoderConfig config, int? classCount, Device device, ParameterSource source, LoraAdapter? adapter, SharedWeights? share = null)
    {
        (Config, ClassCount, Device, _share) = (config, classCount, device, share);
        var context = new NetworkContext(config, adapter is null ? new PlainProjections() : new AdapterProjections(adapter), Dropout: null);
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
    /// A masked-language-model head (<c>lm_head.*</c>, <c>cls.predictions.*</c>, …) makes a masked language model, <c>classifier.*</c> a
    /// classifier; of both, the one that <c>architectures</c> in config.json names, else the masked language model.
    /// </param>
    /// <param name="device">Where the network runs.</param>
    /// <param name="adapterFolder">
    /// PEFT's files of an adapter for this checkpoint, or null. A classification head in it makes a classifier, whatever the checkpoint has.
    /// </param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged, contradicts another, the adapter does not fit, or there is no head.</exception>
    public static CheckpointNetwork Open(string folder, Device device, string? adapterFolder = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder with config.json and {Checkpoint.FileName}.");
        var configPath = Path.Combine(folder, "config.json");
        var config = EncoderConfig.FromFile(configPath);
        using var weights = new CheckpointWeights(Checkpoint.Open(folder), config);
        using var scope = NewDisposeScope();     // the network's parameters share the storage of what is read, and keep it

        using var adapter = adapterFolder is null ? null : PeftFolder.Read(adapterFolder, config, device);
        var classCount = ClassCountOf(adapter, config) ?? ChooseHead(folder, weights, config, NamesClassifier(configPath));
        var asked = Shapes(config, classCount);
        Check(adapter, adapterFolder, asked);
        return new CheckpointNetwork(config, classCount, device, Frozen(Load(folder, weights, config, asked, adapter, device), adapter, device), adapter);
    }

    /// <summary>The masked language model of a pretrained model, or the classifier that an adapter makes of it.</summary>
    /// <param name="model">The base.</param>
    /// <param name="device">Where the network runs.</param>
    /// <param name="adapterFolder">PEFT's files of an adapter for this model, or null. A classification head in it makes a classifier.</param>
    /// <exception cref="InvalidDataException">There is no head, the adapter does not fit, or weights cannot be read.</exception>
    public static CheckpointNetwork Open(PretrainedModel model, Device device, string? adapterFolder = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var scope = NewDisposeScope();
        using var adapter = adapterFolder is null ? null : PeftFolder.Read(adapterFolder, model.Config, device);
        var classCount = ClassCountOf(adapter, model.Config);
        if (classCount is null) model.RequireLanguageModel();
        if (classCount is null && (!model.HasWeights || !model.HasLanguageModelHead))
            throw new InvalidDataException($"{model.Name}: there is no masked-language-model head to run.");
        Check(adapter, adapterFolder, Shapes(model.Config, classCount));
        var share = SharedWeights.Acquire(model, device);
        try
        {
            return new CheckpointNetwork(model.Config, classCount, device, Frozen(share.Tensors, adapter, device), adapter, share);
        }
        catch
        {
            share.Dispose();
            throw;
        }
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

    private static int? ChooseHead(string folder, CheckpointWeights weights, EncoderConfig config, bool namesClassifier)
    {
        var hasLanguageModel = weights.Entries.Keys.Any(key => MaskedLanguageModel.IsHeadKey(key, config));
        var (classification, languageModel) = (config.Layout.Classification, config.Layout.LanguageModel);
        if (!weights.Entries.TryGetValue(classification.ClassesWeight, out var classes))
        {
            if (hasLanguageModel) return null;
            throw new InvalidDataException(CheckpointContents.Of(weights, config).IsDiscriminator
                ? ModelFaults.OfDiscriminator(folder)
                : $"{folder}: the checkpoint has no head to run (no {languageModel.Dense}.* and no {classification.ClassesWeight}); "
                    + "use a masked-language-model or sequence-classification checkpoint.");
        }
        if (hasLanguageModel && !namesClassifier) return null;
        return classes.Shape is [> 0 and <= int.MaxValue and var count, _] ? (int)count : throw new InvalidDataException(
            $"{folder}: {classification.ClassesWeight} is ({string.Join(", ", classes.Shape)}); (classes, {config.HiddenSize}) was wanted.");
    }

    private static bool NamesClassifier(string configPath)
    {
        using var document = StrictJson.ParseObject(StrictJson.ReadBounded(configPath, EncoderConfigJson.MaxBytes), configPath);
        return document.RootElement.TryGetProperty("architectures", out var names) && names.ValueKind is JsonValueKind.Array
            && names.EnumerateArray().Any(name =>
                name.ValueKind is JsonValueKind.String && name.GetString()!.EndsWith("ForSequenceClassification", StringComparison.Ordinal));
    }

    private static int? ClassCountOf(LoraAdapter? adapter, EncoderConfig config) =>
        adapter?.FullyTrained.GetValueOrDefault(config.Layout.Classification.ClassesWeight) is { } classes ? (int)classes.shape[0] : null;

    private static IReadOnlyDictionary<string, long[]> Shapes(EncoderConfig config, int? classCount) =>
        classCount is { } classes ? NetworkShapes.OfClassifier(config, classes) : NetworkShapes.OfMaskedLanguageModel(config);

    private static void Check(LoraAdapter? adapter, string? folder, IReadOnlyDictionary<string, long[]> asked)
    {
        if (adapter?.Complaints(asked) is { Count: > 0 } complaints)
            throw new InvalidDataException($"{folder}: the adapter was made for another base: {MessageText.Some(complaints)}.");
    }

    // What the adapter brings in full need not be in the checkpoint, and may have another shape there.
    private static Dictionary<string, Tensor> Load(
        string folder, CheckpointWeights weights, EncoderConfig config, IReadOnlyDictionary<string, long[]> asked, LoraAdapter? adapter, Device device)
    {
        var wanted = asked.Where(pair => adapter is null || !adapter.FullyTrained.ContainsKey(pair.Key)).ToDictionary();
        var complaints = NetworkShapes.Complaints(wanted, weights.Entries, NetworkShapes.LayersOf(config), mayMiss: _ => false);
        if (complaints.Count > 0)
            throw new InvalidDataException($"{folder}: {string.Join(", ", complaints)}. Use the config.json that belongs to these weights.");
        return wanted.Keys.ToDictionary(key => key, key => weights.Read(key, ScalarType.Float32, device));
    }

    private static ParameterSource Frozen(IReadOnlyDictionary<string, Tensor> weights, LoraAdapter? adapter, Device device)
    {
        var all = new Dictionary<string, Tensor>(weights);
        if (adapter is not null)
            foreach (var (key, tensor) in adapter.Weights) all[key] = tensor;
        return new ParameterSource(all, device, isTrainable: _ => false, generator: null);
    }
}

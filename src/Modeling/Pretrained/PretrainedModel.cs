using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>A pretrained text model to start from: its architecture, its tokenizer, and where its weights are.</summary>
/// <remarks>
/// Immutable and thread-safe. The weights of a folder and of <see cref="MiniEncoder"/> are read when a fit or a transformer needs them, and
/// shared while anything uses them. Those of a model that came out of a model file are in native memory from the start, until the last
/// transformer that was loaded with it or fitted from it is disposed; after that they can no longer be had (ObjectDisposedException).
/// </remarks>
public sealed class PretrainedModel
{
    private static readonly Lazy<PretrainedModel> EmbeddedEncoder = new(() => MiniEncoderResources.Open());

    private readonly Func<BaseWeights> _openWeights;
    private readonly EmbeddedWeights? _embedded;
    private readonly Lazy<string> _contentHash;

    internal PretrainedModel(string name, EncoderConfig config, TextTokenizer tokenizer, ModelCard card, Func<BaseWeights> openWeights, string? folder = null)
    {
        TorchNativeLibrary.EnsureLoaded();      // before anything touches torch, whose own error says less
        (Name, Config, Tokenizer, Card, Folder, _openWeights) = (name, config, tokenizer, card, folder, openWeights);
        CheckTokenizer();
        (Contents, InitializedKeys) = CheckWeights();
        HasWeights = Contents.ParameterCount > 0;
        // A failure is not kept: a file that cannot be read now may be there next time.
        _contentHash = new Lazy<string>(ComputeContentHash, LazyThreadSafetyMode.PublicationOnly);
    }

    /// <summary>A model whose weights came out of a model file; owners keep them, this does not.</summary>
    internal PretrainedModel(string name, EncoderConfig config, TextTokenizer tokenizer, ModelCard card, EmbeddedWeights embedded)
        : this(name, config, tokenizer, card, embedded.Open) => _embedded = embedded;

    private PretrainedModel(string name, EncoderConfig config, TextTokenizer tokenizer, ModelCard card, string contentHash)
    {
        (Name, Config, Tokenizer, Card, InitializedKeys, Contents) = (name, config, tokenizer, card, [], CheckpointContents.None);
        CheckTokenizer();
        _contentHash = new Lazy<string>(contentHash);
        _openWeights = () => throw new InvalidOperationException(
            $"The model was saved without its base '{name}' (content {contentHash[..12]}…). Open that checkpoint with PretrainedModel.FromFolder and give it as BaseModel of the options.");
    }

    /// <summary>The small English encoder that comes inside the library: for a first run, tests and teaching.</summary>
    public static PretrainedModel MiniEncoder => EmbeddedEncoder.Value;

    /// <summary>What it is called in reports and messages: "mini-encoder", or the folder's name.</summary>
    public string Name { get; }

    /// <summary>The full path of the checkpoint folder; null for the embedded model and for one that came out of a model file.</summary>
    public string? Folder { get; }

    /// <summary>Sizes and constants.</summary>
    public EncoderConfig Config { get; }

    /// <summary>Text to token ids, as this model was pretrained with.</summary>
    public TextTokenizer Tokenizer { get; }

    /// <summary>What its authors recommend for fine-tuning; general advice for a checkpoint that does not say.</summary>
    public ModelCard Card { get; }

    /// <summary>
    /// Keys that this architecture's pretrained models have (language-model head, BERT's pooler) and the checkpoint lacks: they are drawn at
    /// random when needed.
    /// </summary>
    public IReadOnlyList<string> InitializedKeys { get; }

    /// <summary>Whether there are pretrained weights at all; without them every parameter is drawn at random.</summary>
    public bool HasWeights { get; }

    /// <summary>Whether the checkpoint brings its masked-language-model head.</summary>
    public bool HasLanguageModelHead => !InitializedKeys.Any(key => MaskedLanguageModel.IsHeadKey(key, Config));

    /// <summary>What the checkpoint holds: heads, storage types, parameter counts; all empty without weights at hand.</summary>
    public CheckpointContents Contents { get; }

    /// <summary>SHA-256 over configuration, tokenizer and weights, lower-case hexadecimal; the same for a re-sharded or embedded copy.</summary>
    /// <remarks>Read from the files once, on first use: about a second per gigabyte.</remarks>
    public string ContentHash => _contentHash.Value;

    /// <summary>The linear maps that an adapter may target.</summary>
    public IReadOnlyList<ProjectionShape> Projections => SequenceClassifier.Slots(Config);

    /// <summary>Opens a checkpoint folder in Hugging Face's layout.</summary>
    /// <param name="folder">
    /// Holds config.json (model_type roberta, bert, xlm-roberta, distilbert or electra), model.safetensors or its shards with
    /// model.safetensors.index.json, and the tokenizer's files (vocab.json and merges.txt, vocab.txt, or tokenizer.json).
    /// </param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing, damaged, or contradicts another; the message names it.</exception>
    public static PretrainedModel FromFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder with config.json, model.safetensors and the tokenizer's files.");
        var config = EncoderConfig.FromFile(Path.Combine(folder, "config.json"));
        return new PretrainedModel(
            Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))),
            config,
            TextTokenizer.FromFolder(folder),
            ModelCard.FromFolder(folder),
            () => new CheckpointWeights(Checkpoint.Open(folder), config),
            Path.GetFullPath(folder));
    }

    /// <summary>An architecture without weights: every parameter is drawn at random when a fit starts.</summary>
    /// <param name="configPath">A config.json.</param>
    /// <param name="tokenizerFolder">A folder with the tokenizer's files.</param>
    /// <exception cref="InvalidDataException">A file is missing or damaged, or the tokenizer has more entries than the configuration.</exception>
    public static PretrainedModel FromScratch(string configPath, string tokenizerFolder) =>
        new("new", EncoderConfig.FromFile(configPath), TextTokenizer.FromFolder(tokenizerFolder), ModelCard.General, () => RetainedWeights.None);

    /// <summary>Stands for a checkpoint that is known by name and content but not at hand: it can tokenize, not give weights.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="config">Its architecture.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="card">Its recommendations.</param>
    /// <param name="contentHash">Its <see cref="ContentHash"/>, 64 hexadecimal digits.</param>
    public static PretrainedModel WithoutWeightsAtHand(string name, EncoderConfig config, TextTokenizer tokenizer, ModelCard card, string contentHash) =>
        new(name, config, tokenizer, card, contentHash);

    /// <summary>The same architecture and tokenizer with no pretrained weights: what pretraining is worth shows beside it.</summary>
    public PretrainedModel WithRandomWeights() => new($"{Name} (random weights)", Config, Tokenizer, Card, () => RetainedWeights.None);

    /// <summary>Writes the pretrained weights as they are stored, language-model head included, as one safetensors stream.</summary>
    /// <param name="stream">Written from its present position; need not be seekable.</param>
    /// <exception cref="InvalidDataException">The folder's content is no longer what it was, or a weight is not finite; nothing was written.</exception>
    /// <exception cref="ObjectDisposedException">The weights came out of a model file and nothing that used them is left.</exception>
    public void WriteWeights(Stream stream)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(stream, [.. ReadWeights(stored => stored)]);
    }

    /// <summary>Refuses a checkpoint of which no masked language model can be made.</summary>
    /// <exception cref="InvalidDataException">It is an ELECTRA discriminator.</exception>
    public void RequireLanguageModel()
    {
        if (Contents.IsDiscriminator) throw new InvalidDataException(ModelFaults.OfDiscriminator(Name));
    }

    internal BaseWeights OpenWeights() => _openWeights();

    /// <summary>The weights, after a look at all their bytes: they are what <see cref="ContentHash"/> says. The caller disposes them.</summary>
    /// <exception cref="InvalidDataException">A file cannot be read or has changed since it was first read.</exception>
    internal BaseWeights OpenUnchangedWeights()
    {
        var weights = OpenWeights();
        try
        {
            return HashOf(weights) == ContentHash ? weights : throw Changed();
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Keeps weights that came out of a model file readable until it is disposed; null for a model that needs no such thing.</summary>
    /// <exception cref="ObjectDisposedException">They were freed with their last owner.</exception>
    internal IDisposable? HoldWeights() => _embedded?.Own();

    /// <summary>Makes a model out of a model file give out its weights from those that a network on <paramref name="device"/> uses.</summary>
    internal void ShareWeightsOn(Device device) => _embedded?.ShareOn(this, device);

    /// <summary>Reads all weights once, and refuses them unless they are what <see cref="ContentHash"/> says.</summary>
    /// <param name="convert">What becomes of each, given as stored on the CPU.</param>
    /// <returns>By key; they belong to the caller's dispose scope, if there is one.</returns>
    /// <exception cref="InvalidDataException">A file cannot be read or has changed since it was first read, or a weight is not finite.</exception>
    internal Dictionary<string, Tensor> ReadWeights(Func<Tensor, Tensor> convert)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var hasher = new ContentHasher(Config, Tokenizer);
        using var weights = OpenWeights();
        var read = new Dictionary<string, Tensor>();
        foreach (var (key, entry) in ContentHasher.InOrder(weights))
        {
            using var each = NewDisposeScope();     // the stored form goes as soon as it is converted
            var stored = weights.Read(key);
            hasher.AppendEntry(key, entry);
            TensorBytes.ForEachStretch(stored, stretch => hasher.AppendBytes(stretch));
            read.Add(key, convert(stored).MoveToOuterDisposeScope());
        }
        // What is fine-tuned or saved goes under the hash: other weights beside it would make a model that never was.
        if (hasher.Finish() != ContentHash) throw Changed();
        foreach (var tensor in read.Values) tensor.MoveToOuterDisposeScope();
        return read;
    }

    private void CheckTokenizer()
    {
        if (ModelFaults.OfTokenizer(Config, Tokenizer) is { Count: > 0 } faults) throw new InvalidDataException($"{Name}: {string.Join(" ", faults)}");
    }

    // All of a checkpoint's faults in one message.
    private (CheckpointContents Contents, IReadOnlyList<string> Missing) CheckWeights()
    {
        using var weights = OpenWeights();
        List<string> missing = [.. ModelFaults.OfBase(Config).Keys.Where(key => !weights.Entries.ContainsKey(key))];
        if (weights.Entries.Count == 0) return (CheckpointContents.None, missing);
        return ModelFaults.OfWeights(Config, weights.Entries) is { } fault
            ? throw new InvalidDataException($"{Name}: {fault}")
            : (CheckpointContents.Of(weights, Config), missing);
    }

    private InvalidDataException Changed() => new(
        $"{Folder ?? Name}: the checkpoint has changed since it was first read. Put the old files back, or open the folder again and fit again.");

    private string ComputeContentHash()
    {
        using var weights = OpenWeights();
        return HashOf(weights);
    }

    private string HashOf(BaseWeights weights)
    {
        using var hasher = new ContentHasher(Config, Tokenizer);
        foreach (var (key, entry) in ContentHasher.InOrder(weights))
        {
            hasher.AppendEntry(key, entry);
            weights.ForEachStretch(key, hasher.AppendBytes);
        }
        return hasher.Finish();
    }
}

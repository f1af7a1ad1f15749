namespace MLNetLoRA.Modeling;

/// <summary>What a decoder's checkpoint folder holds and what is wrong with it, by its small files and the headers of its weights. Immutable.</summary>
/// <remarks>
/// As <see cref="CheckpointInspection"/> does for encoders: weights are not read, torch's native library is not loaded, and what passes here
/// <see cref="TextGenerator.Open"/> opens.
/// </remarks>
public sealed class DecoderInspection
{
    private readonly InspectionProblems _problems = new();

    private DecoderInspection(string name) => Name = name;

    /// <summary>The folder's name.</summary>
    public string Name { get; }

    /// <summary>The architecture; null where config.json is missing or faulty.</summary>
    public DecoderConfig? Config { get; private set; }

    /// <summary>The tokenizer; null where its files are missing or faulty.</summary>
    public TextTokenizer? Tokenizer { get; private set; }

    /// <summary>How the parameters are stored, the type of most of them first; empty where the weights cannot be read.</summary>
    public IReadOnlyList<StoredType> DataTypes { get; private set; } = [];

    /// <summary>Parameters of the token embedding, which is the head too where the two are tied.</summary>
    public long EmbeddingParameters { get; private set; }

    /// <summary>Parameters of the layers and of the norm after them.</summary>
    public long DecoderParameters { get; private set; }

    /// <summary>Parameters of a head of its own.</summary>
    public long HeadParameters { get; private set; }

    /// <summary>All parameters.</summary>
    public long ParameterCount => EmbeddingParameters + DecoderParameters + HeadParameters;

    /// <summary>Keys of the file, sorted, that the network does not ask for; loading passes over them.</summary>
    public IReadOnlyList<string> UnusedKeys { get; private set; } = [];

    /// <summary>The files with weights: one, or the shards, in order.</summary>
    public IReadOnlyList<string> WeightFiles { get; private set; } = [];

    /// <summary>What keeps the checkpoint from being used, each with what to do; empty when it is usable.</summary>
    public IReadOnlyList<string> Problems => _problems.Texts;

    /// <summary>Whether <see cref="TextGenerator.Open"/> would open it.</summary>
    public bool IsUsable => Problems.Count == 0;

    /// <summary>Inspects a checkpoint folder in Hugging Face's layout.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static DecoderInspection OfFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder.");
        var inspection = new DecoderInspection(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        inspection.Read(folder);
        return inspection;
    }

    private void Read(string folder)
    {
        Config = _problems.Try(() => DecoderConfig.FromFile(Path.Combine(folder, "config.json")));
        Tokenizer = _problems.Try(() => TextTokenizer.FromFolder(folder));
        using (var checkpoint = _problems.Try(() => Checkpoint.Open(folder))) ReadContents(checkpoint);
        if (Config is null || Tokenizer is null) return;
        foreach (var fault in ModelFaults.OfTokenizer(Config, Tokenizer)) _problems.Add($"{Name}: {fault}");
    }

    private void ReadContents(Checkpoint? checkpoint)
    {
        if (checkpoint is null) return;
        WeightFiles = checkpoint.FileNames;
        if (Config is not { } config || _problems.Try(() => new CheckpointWeights(checkpoint, config)) is not { } weights) return;
        if (DecoderShapes.Complaints(config, weights.Entries) is { Count: > 0 } complaints)
            _problems.Add($"{checkpoint.Source}: {string.Join(", ", complaints)}. Use the config.json that belongs to these weights.");
        var held = DecoderShapes.Of(config).Keys.Where(weights.Entries.ContainsKey).ToList();
        DataTypes = StoredType.Of(held.Select(key => weights.Entries[key]));
        EmbeddingParameters = Count(DecoderKeys.IsEmbedding);
        HeadParameters = Count(DecoderKeys.IsHead);
        DecoderParameters = Count(key => !DecoderKeys.IsEmbedding(key) && !DecoderKeys.IsHead(key));
        UnusedKeys = [.. weights.ForeignKeys.Concat(weights.Entries.Keys.Except(held)).Concat(checkpoint.UnlistedTensors).Order(StringComparer.Ordinal)];

        long Count(Func<string, bool> isPart) => held.Where(isPart).Sum(key => weights.Entries[key].ElementCount);
    }
}

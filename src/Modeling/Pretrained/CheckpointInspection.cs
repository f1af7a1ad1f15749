namespace MLNetLoRA.Modeling;

/// <summary>What a checkpoint folder holds and what is wrong with it, by its small files and the headers of its weights. Immutable.</summary>
/// <remarks>
/// One fault hides no other: each part is read by itself, and parts that could be read are held against each other. Weights are not read and
/// torch's native library is not loaded. What passes here, <see cref="PretrainedModel.FromFolder"/> opens.
/// </remarks>
public sealed class CheckpointInspection
{
    private const int LargestGoodVocabularyGap = 1024;

    private readonly InspectionProblems _problems = new();
    private readonly List<string> _notes = [];

    private CheckpointInspection(string name) => Name = name;

    /// <summary>What it is called: the folder's name, or "mini-encoder".</summary>
    public string Name { get; }

    /// <summary>The architecture; null where config.json is missing or faulty.</summary>
    public EncoderConfig? Config { get; private set; }

    /// <summary>The tokenizer; null where its files are missing or faulty.</summary>
    public TextTokenizer? Tokenizer { get; private set; }

    /// <summary>The recommendations for fine-tuning; null where fine_tuning.json is faulty.</summary>
    public ModelCard? Card { get; private set; }

    /// <summary>What the weights are; null where they, or config.json, which says what they mean, cannot be read.</summary>
    public CheckpointContents? Contents { get; private set; }

    /// <summary>The files with weights: one, or the shards, in order.</summary>
    public IReadOnlyList<string> WeightFiles { get; private set; } = [];

    /// <summary>What keeps the checkpoint from being used, each with what to do; empty when it is usable.</summary>
    public IReadOnlyList<string> Problems => _problems.Texts;

    /// <summary>What is worth knowing and no obstacle.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Whether <see cref="PretrainedModel.FromFolder"/> would open it.</summary>
    public bool IsUsable => _problems.Texts.Count == 0;

    /// <summary>Inspects a checkpoint folder in Hugging Face's layout.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static CheckpointInspection OfFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder.");
        var inspection = new CheckpointInspection(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        inspection.Read(
            () => EncoderConfig.FromFile(Path.Combine(folder, "config.json")), () => TextTokenizer.FromFolder(folder),
            () => ModelCard.FromFolder(folder), () => Checkpoint.Open(folder));
        return inspection;
    }

    /// <summary>Inspects the encoder that comes inside the library.</summary>
    public static CheckpointInspection OfMiniEncoder()
    {
        var inspection = new CheckpointInspection(MiniEncoderResources.Name);
        inspection.Read(MiniEncoderResources.Config, MiniEncoderResources.Tokenizer, MiniEncoderResources.Card, MiniEncoderResources.Weights);
        return inspection;
    }

    private void Read(Func<EncoderConfig> config, Func<TextTokenizer> tokenizer, Func<ModelCard> card, Func<Checkpoint> weights)
    {
        Config = _problems.Try(config);
        Tokenizer = _problems.Try(tokenizer);
        Card = _problems.Try(card);
        using (var checkpoint = _problems.Try(weights)) ReadContents(checkpoint);
        if (Config is not null && Tokenizer is not null) CompareTokenizer(Config, Tokenizer);
    }

    private void ReadContents(Checkpoint? checkpoint)
    {
        if (checkpoint is null) return;
        WeightFiles = checkpoint.FileNames;
        if (Config is not { } config || _problems.Try(() => new CheckpointWeights(checkpoint, config)) is not { } weights) return;
        Contents = CheckpointContents.Of(weights, config);
        if (ModelFaults.OfWeights(config, weights.Entries) is { } fault) _problems.Add($"{checkpoint.Source}: {fault}");
        NoteHeads(config, Contents);
        if (Contents.UnusedKeys.Count > 0) _notes.Add($"{Contents.UnusedKeys.Count} tensors are not used: {MessageText.List([.. Contents.UnusedKeys])}.");
        if (checkpoint.UnlistedTensors.Count > 0)
            _notes.Add($"{checkpoint.UnlistedTensors.Count} tensors lie in a shard and not in the index, and are passed over: {MessageText.List([.. checkpoint.UnlistedTensors])}.");
    }

    private void NoteHeads(EncoderConfig config, CheckpointContents contents)
    {
        if (contents.IsDiscriminator) _notes.Add("This is an ELECTRA discriminator: it classifies, and has no masked-language-model head.");
        else if (!contents.HasLanguageModelHead)
            _notes.Add("There is no masked-language-model head: pretraining on would draw one at random, forgetting cannot be measured by it.");
        if (contents.ClassificationHead is { LabelNames: null } head)
            _notes.Add($"The classification head tells {head.ClassCount} classes apart, "
                + (config.LabelNames is { } names ? $"id2label names {names.Count}" : "id2label does not name them")
                + "; fine-tuning cannot match them to labels and starts from a new head.");
    }

    private void CompareTokenizer(EncoderConfig config, TextTokenizer tokenizer)
    {
        foreach (var fault in ModelFaults.OfTokenizer(config, tokenizer)) _problems.Add($"{Name}: {fault}");
        if (config.VocabularySize - tokenizer.VocabularySize > LargestGoodVocabularyGap)
            _notes.Add($"The embedding has {config.VocabularySize} rows, the tokenizer {tokenizer.VocabularySize} entries: check that they belong together.");
    }
}

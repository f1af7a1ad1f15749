namespace MLNetLoRA.Modeling;

/// <summary>The architecture of an encoder: what Hugging Face keeps in config.json. Immutable.</summary>
/// <remarks>
/// Named here as BERT's config.json names them; messages use the family's own names (DistilBERT's hidden_size is dim). Defaults are those of
/// Hugging Face's configuration classes. Equality compares <see cref="LabelNames"/> by reference.
/// </remarks>
public sealed record EncoderConfig
{
    /// <summary>What DistilBERT's classes are written with: it is no setting there.</summary>
    private const double FixedEpsilon = 1e-12;

    private readonly int? _padTokenId;
    private readonly int? _embeddingSize;
    private readonly double? _classifierDropout;

    /// <summary>The architecture, <c>model_type</c>.</summary>
    public required ModelFamily Family { get; init; }

    /// <summary>Rows of the word embedding, <c>vocab_size</c>.</summary>
    /// <value>1 to 10,000,000.</value>
    public required int VocabularySize { get; init; }

    /// <summary>Width of every token's vector, <c>hidden_size</c>.</summary>
    /// <value>1 to 1,000,000, a multiple of <see cref="HeadCount"/>.</value>
    public required int HiddenSize { get; init; }

    /// <summary>Transformer layers, <c>num_hidden_layers</c>.</summary>
    /// <value>1 to 1,000.</value>
    public required int LayerCount { get; init; }

    /// <summary>Attention heads per layer, <c>num_attention_heads</c>.</summary>
    /// <value>1 or more; divides <see cref="HiddenSize"/>.</value>
    public required int HeadCount { get; init; }

    /// <summary>Width inside the feed-forward blocks, <c>intermediate_size</c>.</summary>
    /// <value>1 to 1,000,000.</value>
    public required int IntermediateSize { get; init; }

    /// <summary>Rows of the position embedding, <c>max_position_embeddings</c>; a text may have <see cref="MaxTokens"/>.</summary>
    /// <value>1 to 1,000,000.</value>
    public required int MaxPositions { get; init; }

    /// <summary>Width of the embedding tables, <c>embedding_size</c>; where it is not <see cref="HiddenSize"/>, a linear map follows.</summary>
    /// <value>1 to 1,000,000; default <see cref="HiddenSize"/>, the only value for families other than ELECTRA.</value>
    public int EmbeddingSize
    {
        get => _embeddingSize ?? HiddenSize;
        init => _embeddingSize = value;
    }

    /// <summary>Rows of the token type embedding, <c>type_vocab_size</c>: 2 tells the sentences of a pair apart.</summary>
    /// <value>1 to 1,000,000, default 2; always 0 for DistilBERT, which has no such embedding.</value>
    public int TypeVocabularySize
    {
        get => Layout.HasTokenTypes ? field : 0;
        init;
    } = 2;

    /// <summary>Added to the variance in every layer norm, <c>layer_norm_eps</c>.</summary>
    /// <value>Above 0, below 1, default 1e-12; always 1e-12 for DistilBERT.</value>
    public double LayerNormEpsilon
    {
        get => Layout.Config.LayerNormEpsilon is null ? FixedEpsilon : field;
        init;
    } = 1e-12;

    /// <summary>The token id that fills short rows of a batch, <c>pad_token_id</c>.</summary>
    /// <value>A row of the word embedding; default 1 for RoBERTa and XLM-RoBERTa, 0 for the others.</value>
    public int PadTokenId
    {
        get => _padTokenId ?? Layout.DefaultPadTokenId;
        init => _padTokenId = value;
    }

    /// <summary>Share of activations dropped after embeddings and blocks in training, <c>hidden_dropout_prob</c>.</summary>
    /// <value>0 or more, below 1; default 0.1.</value>
    public double HiddenDropout { get; init; } = 0.1;

    /// <summary>Share of attention weights dropped in training, <c>attention_probs_dropout_prob</c>.</summary>
    /// <value>0 or more, below 1; default 0.1.</value>
    public double AttentionDropout { get; init; } = 0.1;

    /// <summary>Share of activations dropped in the classification head, <c>classifier_dropout</c>.</summary>
    /// <value>0 or more, below 1; default null: as <see cref="HiddenDropout"/>, and 0.2 for DistilBERT.</value>
    public double? ClassifierDropout
    {
        get => _classifierDropout ?? Layout.Classification.DefaultDropout;
        init => _classifierDropout = value;
    }

    /// <summary>Standard deviation of newly initialised weights, <c>initializer_range</c>.</summary>
    /// <value>0 to 1; default 0.02.</value>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Whether the masked-language-model head reuses the word embedding, <c>tie_word_embeddings</c>.</summary>
    /// <value>Default true.</value>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>The nonlinearity of the feed-forward blocks, <c>hidden_act</c>.</summary>
    /// <value>Default <see cref="HiddenActivation.Gelu"/>.</value>
    public HiddenActivation HiddenActivation { get; init; } = HiddenActivation.Gelu;

    /// <summary>Whether position embeddings that no checkpoint holds are sines and cosines, <c>sinusoidal_pos_embds</c>.</summary>
    /// <value>Default false; DistilBERT only. A checkpoint's own are read as they are, and trained with the rest by full fine-tuning.</value>
    public bool HasSinusoidalPositions { get; init; }

    /// <summary>The names of a classification checkpoint's classes in output order, <c>id2label</c>.</summary>
    /// <value>Default null: none, or their ids are not 0, 1, 2, and so on.</value>
    public IReadOnlyList<string>? LabelNames { get; init; }

    /// <summary>The longest text in tokens, special tokens included.</summary>
    /// <remarks>
    /// RoBERTa and XLM-RoBERTa number positions from <see cref="PadTokenId"/> + 1, so the first rows of the position embedding serve no token.
    /// </remarks>
    public int MaxTokens => Layout.CountsPositionsFromPadding ? MaxPositions - PadTokenId - 1 : MaxPositions;

    /// <summary>Width of one attention head: <see cref="HiddenSize"/> / <see cref="HeadCount"/>.</summary>
    public int HeadSize => HiddenSize / HeadCount;

    /// <summary>The family as config.json spells it, <c>model_type</c>: roberta, bert, xlm-roberta, distilbert or electra.</summary>
    public string ModelType => Layout.ModelType;

    /// <summary>What the encoder's checkpoint keys start with, without the dot: <c>roberta</c> (XLM-RoBERTa's too), <c>bert</c> and so on.</summary>
    public string CheckpointPrefix => Layout.Prefix;

    /// <summary>The class of the transformers library that opens the encoder with its masked-language-model head: RobertaForMaskedLM and so on.</summary>
    public string MaskedLanguageModelArchitecture => $"{Layout.ClassPrefix}ForMaskedLM";

    /// <summary>The class of the transformers library that opens the encoder with a classification head: RobertaForSequenceClassification and so on.</summary>
    public string ClassificationArchitecture => $"{Layout.ClassPrefix}ForSequenceClassification";

    /// <summary>How the family spells and arranges things.</summary>
    internal FamilyLayout Layout => FamilyLayout.Of(Family);

    /// <summary>Reads a config.json strictly. Keys that do not change the network are ignored.</summary>
    /// <param name="json">UTF-8 text.</param>
    /// <param name="source">The path or name that messages start with.</param>
    /// <exception cref="InvalidDataException">The text is not JSON, or describes a network this library does not build; all faults together.</exception>
    public static EncoderConfig Parse(ReadOnlyMemory<byte> json, string source)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(source);
        return EncoderConfigJson.Parse(json, source);
    }

    /// <summary>Reads a config.json file as <see cref="Parse"/> does.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a valid configuration; the message starts with the path.</exception>
    public static EncoderConfig FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file; a checkpoint's config.json describes its network.", path);
        return Parse(StrictJson.ReadBounded(path, EncoderConfigJson.MaxBytes), path);
    }

    /// <summary>Checks a configuration that was made in code.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; all faults together.</exception>
    public void Validate()
    {
        var faults = string.Join(" ", Faults().Select(fault => fault.Text));
        if (faults.Length > 0) throw new ArgumentException($"The encoder configuration cannot be used: {faults}");
    }

    /// <summary>Writes a config.json that Hugging Face libraries and <see cref="Parse"/> read.</summary>
    /// <param name="architectures">
    /// The classes of the transformers library that can load the weights, for example <c>RobertaForMaskedLM</c>; default: none named.
    /// </param>
    public string ToJson(IReadOnlyList<string>? architectures = null) => EncoderConfigJson.Write(this, architectures);

    /// <summary>What is out of range: the keys of config.json involved and a sentence about them.</summary>
    internal IEnumerable<(string[] Keys, string Text)> Faults() => SizeFaults().Concat(ShareFaults()).Concat(RelationFaults());

    private IEnumerable<(string[] Keys, string Text)> SizeFaults()
    {
        var names = Layout.Config;
        (string? Key, int Value, int Most)[] sizes =
        [
            ("vocab_size", VocabularySize, SizeLimits.LargestVocabulary),
            (names.HiddenSize, HiddenSize, SizeLimits.LargestSize),
            (names.LayerCount, LayerCount, SizeLimits.MostLayers),
            (names.HeadCount, HeadCount, SizeLimits.LargestSize),
            (names.IntermediateSize, IntermediateSize, SizeLimits.LargestSize),
            ("max_position_embeddings", MaxPositions, SizeLimits.LargestSize),
            (names.TypeVocabularySize, TypeVocabularySize, SizeLimits.LargestSize),
            (names.EmbeddingSize, EmbeddingSize, SizeLimits.LargestSize),
        ];
        foreach (var (key, value, most) in sizes)
            if (key is not null && SizeLimits.Fault(key, value, most) is { } fault) yield return ([key], fault);
    }

    private IEnumerable<(string[] Keys, string Text)> ShareFaults()
    {
        var names = Layout.Config;
        (string Key, double Value)[] shares =
        [
            (names.HiddenDropout, HiddenDropout),
            (names.AttentionDropout, AttentionDropout),
            (names.ClassifierDropout, ClassifierDropout ?? 0),
        ];
        foreach (var (key, value) in shares)
            if (value is not (>= 0 and < 1)) yield return ([key], FormattableString.Invariant($"{key} is {value}; use 0 or more, below 1."));
        if (LayerNormEpsilon is not (> 0 and < 1))
            yield return (["layer_norm_eps"],
                FormattableString.Invariant($"layer_norm_eps is {LayerNormEpsilon}; use a value above 0, below 1 (usual: 1e-12 to 1e-5)."));
        if (InitializerRange is not (>= 0 and <= 1))
            yield return (["initializer_range"], FormattableString.Invariant($"initializer_range is {InitializerRange}; use 0 to 1 (usual: 0.02)."));
    }

    private IEnumerable<(string[] Keys, string Text)> RelationFaults()
    {
        var names = Layout.Config;
        if (HiddenSize > 0 && HeadCount > 0 && HiddenSize % HeadCount != 0)
            yield return ([names.HiddenSize, names.HeadCount], $"{names.HiddenSize} is {HiddenSize}, not a multiple of {names.HeadCount} {HeadCount}.");
        if (!Layout.MayProjectEmbeddings && EmbeddingSize != HiddenSize)
            yield return (["embedding_size"],
                $"embedding_size is {EmbeddingSize}, {names.HiddenSize} {HiddenSize}; in {Layout.ModelType} the two are one, only electra may differ.");
        if (HasSinusoidalPositions && (names.SinusoidalPositions is null || HiddenSize % 2 != 0))
            yield return (["sinusoidal_pos_embds", names.HiddenSize],
                $"sinusoidal_pos_embds is true; that needs distilbert and an even {names.HiddenSize} (here {Layout.ModelType}, {HiddenSize}).");
        if (PadTokenId < 0 || (VocabularySize > 0 && PadTokenId >= VocabularySize))
            yield return (["pad_token_id", "vocab_size"],
                $"pad_token_id is {PadTokenId}; use a row of the word embedding (vocab_size is {VocabularySize}).");
        else if (Layout.CountsPositionsFromPadding && MaxPositions > 0 && PadTokenId >= MaxPositions - 1)
            yield return (["max_position_embeddings", "pad_token_id"],
                $"max_position_embeddings is {MaxPositions}; RoBERTa numbers positions from pad_token_id + 1 = {PadTokenId + 1}, so no token fits.");
    }
}

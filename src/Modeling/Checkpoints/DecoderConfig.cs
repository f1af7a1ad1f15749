namespace MLNetLoRA.Modeling;

/// <summary>The architecture of a Llama-style decoder: what Hugging Face keeps in config.json. Immutable.</summary>
/// <remarks>
/// Beside <see cref="EncoderConfig"/>, not under it: the two networks have their sizes in common and nothing that is computed from them. Defaults
/// are those of Hugging Face's configuration classes. Equality compares <see cref="EndTokenIds"/> by reference.
/// </remarks>
public sealed record DecoderConfig
{
    private readonly int? _keyValueHeadCount;
    private readonly int? _headSize;

    /// <summary>The architecture, <c>model_type</c>.</summary>
    public required DecoderFamily Family { get; init; }

    /// <summary>Rows of the token embedding, <c>vocab_size</c>.</summary>
    /// <value>1 to 10,000,000.</value>
    public required int VocabularySize { get; init; }

    /// <summary>Width of every token's vector, <c>hidden_size</c>.</summary>
    /// <value>1 to 1,000,000; a multiple of <see cref="HeadCount"/> unless <see cref="HeadSize"/> is given.</value>
    public required int HiddenSize { get; init; }

    /// <summary>Transformer layers, <c>num_hidden_layers</c>.</summary>
    /// <value>1 to 1,000.</value>
    public required int LayerCount { get; init; }

    /// <summary>Query heads per layer, <c>num_attention_heads</c>.</summary>
    /// <value>1 or more.</value>
    public required int HeadCount { get; init; }

    /// <summary>Key and value heads per layer, <c>num_key_value_heads</c>: so many query heads share one.</summary>
    /// <value>Divides <see cref="HeadCount"/>; default <see cref="HeadCount"/> for Llama, 8 for Mistral, 32 for Qwen2.</value>
    public int KeyValueHeadCount
    {
        get => _keyValueHeadCount ?? Layout.DefaultKeyValueHeadCount ?? HeadCount;
        init => _keyValueHeadCount = value;
    }

    /// <summary>Width of one head, <c>head_dim</c>.</summary>
    /// <value>Even, since rotary embeddings turn pairs; default <see cref="HiddenSize"/> / <see cref="HeadCount"/>.</value>
    public int HeadSize
    {
        get => _headSize ?? (HeadCount > 0 ? HiddenSize / HeadCount : 0);
        init => _headSize = value;
    }

    /// <summary>Width inside the feed-forward blocks, <c>intermediate_size</c>.</summary>
    /// <value>1 to 1,000,000.</value>
    public required int IntermediateSize { get; init; }

    /// <summary>The context: the longest row in tokens, <c>max_position_embeddings</c>.</summary>
    /// <value>1 to 10,000,000.</value>
    public required int MaxPositions { get; init; }

    /// <summary>Added to the mean square in every norm, <c>rms_norm_eps</c>.</summary>
    /// <value>Above 0, below 1; default 1e-6.</value>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>The base of the rotary embedding's wavelengths, <c>rope_theta</c>.</summary>
    /// <value>Above 1, finite; default 10,000.</value>
    public double RotaryBase { get; init; } = 10_000;

    /// <summary>How rotary embeddings are stretched, <c>rope_scaling</c>.</summary>
    /// <value>Default null: not at all.</value>
    public RotaryScaling? RotaryScaling { get; init; }

    /// <summary>How many tokens a token sees, itself included, <c>sliding_window</c>.</summary>
    /// <value>1 or more; default null: all before it. Mistral only; its config.json means 4096 where it is silent.</value>
    public int? SlidingWindow { get; init; }

    /// <summary>Whether all four maps of attention have biases, <c>attention_bias</c>.</summary>
    /// <value>Default false. Llama only; Qwen2 has them on queries, keys and values always.</value>
    public bool HasAttentionBiases { get; init; }

    /// <summary>Whether the three maps of the feed-forward blocks have biases, <c>mlp_bias</c>.</summary>
    /// <value>Default false. Llama only.</value>
    public bool HasFeedForwardBiases { get; init; }

    /// <summary>Share of attention weights dropped in training, <c>attention_dropout</c>.</summary>
    /// <value>0 or more, below 1; default 0.</value>
    public double AttentionDropout { get; init; }

    /// <summary>Standard deviation of newly initialised weights, <c>initializer_range</c>.</summary>
    /// <value>0 to 1; default 0.02.</value>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Whether the head reuses the token embedding, <c>tie_word_embeddings</c>.</summary>
    /// <value>Default false.</value>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>The token that opens a text, <c>bos_token_id</c>.</summary>
    /// <value>A row of the token embedding; default null: none.</value>
    public int? BeginTokenId { get; init; }

    /// <summary>The tokens that end a text, <c>eos_token_id</c>: generation stops at any of them.</summary>
    /// <value>Rows of the token embedding; default none.</value>
    public IReadOnlyList<int> EndTokenIds { get; init; } = [];

    /// <summary>The token that fills short rows of a batch, <c>pad_token_id</c>; nothing attends to it.</summary>
    /// <value>A row of the token embedding; default null: none is named, and rows are filled with token 0.</value>
    public int? PadTokenId { get; init; }

    /// <summary>The family as config.json spells it, <c>model_type</c>: llama, mistral or qwen2.</summary>
    public string ModelType => Layout.ModelType;

    /// <summary>The class of the transformers library that opens the network: LlamaForCausalLM and so on.</summary>
    public string Architecture => Layout.Architecture;

    /// <summary>What the family settles.</summary>
    internal DecoderLayout Layout => DecoderLayout.Of(Family);

    /// <summary>Whether the maps to queries, keys and values have biases.</summary>
    internal bool HasInputBiases => Layout.HasInputBiases || HasAttentionBiases;

    /// <summary>Reads a config.json strictly. Keys that do not change the network are ignored.</summary>
    /// <param name="json">UTF-8 text.</param>
    /// <param name="source">The path or name that messages start with.</param>
    /// <exception cref="InvalidDataException">The text is not JSON, or describes a network this library does not build; all faults together.</exception>
    public static DecoderConfig Parse(ReadOnlyMemory<byte> json, string source)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(source);
        return DecoderConfigJson.Parse(json, source);
    }

    /// <summary>Reads a config.json file as <see cref="Parse"/> does.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a valid configuration; the message starts with the path.</exception>
    public static DecoderConfig FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: there is no such file; a checkpoint's config.json describes its network.", path);
        return Parse(StrictJson.ReadBounded(path, EncoderConfigJson.MaxBytes), path);
    }

    /// <summary>Whether the config.json of a checkpoint folder names one of the families here.</summary>
    /// <remarks>False where there is none or it cannot be read: whoever opens the folder says what is wrong with it.</remarks>
    public static bool IsDecoder(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        var path = Path.Combine(folder, "config.json");
        try
        {
            return File.Exists(path) && DecoderConfigJson.IsDecoder(StrictJson.ReadBounded(path, EncoderConfigJson.MaxBytes), path);
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Checks a configuration that was made in code.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; all faults together.</exception>
    public void Validate()
    {
        var faults = string.Join(" ", Faults().Select(fault => fault.Text));
        if (faults.Length > 0) throw new ArgumentException($"The decoder configuration cannot be used: {faults}");
    }

    /// <summary>Writes a config.json that Hugging Face libraries and <see cref="Parse"/> read.</summary>
    public string ToJson() => DecoderConfigJson.Write(this);

    /// <summary>What is out of range: the keys of config.json involved and a sentence about them.</summary>
    internal IEnumerable<(string[] Keys, string Text)> Faults() => SizeFaults().Concat(HeadFaults()).Concat(ConstantFaults()).Concat(TokenFaults());

    private IEnumerable<(string[] Keys, string Text)> SizeFaults()
    {
        (string Key, int Value, int Most)[] sizes =
        [
            ("vocab_size", VocabularySize, SizeLimits.LargestVocabulary),
            ("hidden_size", HiddenSize, SizeLimits.LargestSize),
            ("num_hidden_layers", LayerCount, SizeLimits.MostLayers),
            ("num_attention_heads", HeadCount, SizeLimits.LargestSize),
            ("num_key_value_heads", KeyValueHeadCount, SizeLimits.LargestSize),
            ("intermediate_size", IntermediateSize, SizeLimits.LargestSize),
            ("max_position_embeddings", MaxPositions, SizeLimits.LongestContext),
            ("sliding_window", SlidingWindow ?? 1, SizeLimits.LongestContext),
        ];
        foreach (var (key, value, most) in sizes)
            if (SizeLimits.Fault(key, value, most) is { } fault) yield return ([key], fault);
    }

    private IEnumerable<(string[] Keys, string Text)> HeadFaults()
    {
        if (HeadCount < 1 || KeyValueHeadCount < 1) yield break;
        if (HeadCount % KeyValueHeadCount != 0)
            yield return (["num_key_value_heads", "num_attention_heads"],
                $"num_key_value_heads is {KeyValueHeadCount} and does not divide num_attention_heads {HeadCount}; as many query heads share each key head.");
        if (_headSize is null && HiddenSize % HeadCount != 0)
            yield return (["hidden_size", "num_attention_heads"],
                $"hidden_size is {HiddenSize}, not a multiple of num_attention_heads {HeadCount}, and there is no head_dim.");
        else if (HeadSize < 1 || HeadSize % 2 != 0 || (long)HeadSize * HeadCount > SizeLimits.LargestSize)
            yield return (["head_dim", "hidden_size", "num_attention_heads"],
                FormattableString.Invariant($"a head is {HeadSize} wide; use an even number, of which num_attention_heads {HeadCount} make at most {SizeLimits.LargestSize:N0}."));
    }

    private IEnumerable<(string[] Keys, string Text)> ConstantFaults()
    {
        if (NormEpsilon is not (> 0 and < 1))
            yield return (["rms_norm_eps"], FormattableString.Invariant($"rms_norm_eps is {NormEpsilon}; use a value above 0, below 1 (usual: 1e-6 or 1e-5)."));
        if (!double.IsFinite(RotaryBase) || RotaryBase <= 1)
            yield return (["rope_theta"], FormattableString.Invariant($"rope_theta is {RotaryBase}; use a value above 1 (usual: 10000 to 1000000)."));
        if (AttentionDropout is not (>= 0 and < 1))
            yield return (["attention_dropout"], FormattableString.Invariant($"attention_dropout is {AttentionDropout}; use 0 or more, below 1."));
        if (InitializerRange is not (>= 0 and <= 1))
            yield return (["initializer_range"], FormattableString.Invariant($"initializer_range is {InitializerRange}; use 0 to 1 (usual: 0.02)."));
        foreach (var fault in RotaryScaling?.Faults() ?? []) yield return (["rope_scaling"], $"rope_scaling.{fault}");
        if (SlidingWindow is not null && Layout.DefaultSlidingWindow is null)
            yield return (["sliding_window"], $"sliding_window is {SlidingWindow}; in {ModelType} every token sees all before it, only mistral may differ.");
        if ((HasAttentionBiases || HasFeedForwardBiases) && !Layout.MayHaveBiases)
            yield return (["attention_bias", "mlp_bias"], $"attention_bias or mlp_bias is true; {ModelType} settles its biases itself, only llama may differ.");
    }

    private IEnumerable<(string[] Keys, string Text)> TokenFaults()
    {
        if (VocabularySize < 1) yield break;
        (string Key, IEnumerable<int> Ids)[] tokens =
            [("bos_token_id", BeginTokenId is { } begin ? [begin] : []), ("eos_token_id", EndTokenIds), ("pad_token_id", PadTokenId is { } pad ? [pad] : [])];
        foreach (var (key, ids) in tokens)
            foreach (var id in ids.Where(id => id < 0 || id >= VocabularySize))
                yield return ([key, "vocab_size"], $"{key} is {id}; use a row of the token embedding (vocab_size is {VocabularySize}).");
    }
}

namespace MLNetLoRA.Modeling;

/// <summary>How one family's configurations differ from the others'; the networks and their keys are the same. Immutable.</summary>
/// <remarks>Source: Hugging Face's configuration classes LlamaConfig, MistralConfig and Qwen2Config.</remarks>
internal sealed record DecoderLayout
{
    public required DecoderFamily Family { get; init; }

    /// <summary><c>model_type</c> in config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>The class of the transformers library that opens the network.</summary>
    public required string Architecture { get; init; }

    /// <summary>Key and value heads where config.json says nothing; null: as many as there are query heads.</summary>
    public int? DefaultKeyValueHeadCount { get; init; }

    /// <summary>The window where config.json says nothing; null for a family in which every token sees all before it.</summary>
    public int? DefaultSlidingWindow { get; init; }

    /// <summary>Whether <c>attention_bias</c> and <c>mlp_bias</c> are settings.</summary>
    public bool MayHaveBiases { get; init; }

    /// <summary>Whether queries, keys and values have biases always.</summary>
    public bool HasInputBiases { get; init; }

    /// <summary>Every family, in the order in which messages list them.</summary>
    public static IReadOnlyList<DecoderLayout> All { get; } =
    [
        new() { Family = DecoderFamily.Llama, ModelType = "llama", Architecture = "LlamaForCausalLM", MayHaveBiases = true },
        new()
        {
            Family = DecoderFamily.Mistral,
            ModelType = "mistral",
            Architecture = "MistralForCausalLM",
            DefaultKeyValueHeadCount = 8,
            DefaultSlidingWindow = 4096,
        },
        new()
        {
            Family = DecoderFamily.Qwen2,
            ModelType = "qwen2",
            Architecture = "Qwen2ForCausalLM",
            DefaultKeyValueHeadCount = 32,
            HasInputBiases = true,
        },
    ];

    private static readonly Dictionary<DecoderFamily, DecoderLayout> ByFamily = All.ToDictionary(layout => layout.Family);

    /// <exception cref="ArgumentOutOfRangeException">The number is no family.</exception>
    public static DecoderLayout Of(DecoderFamily family) => ByFamily.TryGetValue(family, out var layout)
        ? layout
        : throw new ArgumentOutOfRangeException(nameof(family), family, "There is no such family of decoders.");
}

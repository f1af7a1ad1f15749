namespace MLNetLoRA.Modeling;

/// <summary>What config.json calls the settings that families call differently; null for a setting that a family does not have.</summary>
internal sealed record ConfigNames
{
    public string HiddenSize { get; init; } = "hidden_size";

    public string LayerCount { get; init; } = "num_hidden_layers";

    public string HeadCount { get; init; } = "num_attention_heads";

    public string IntermediateSize { get; init; } = "intermediate_size";

    public string HiddenDropout { get; init; } = "hidden_dropout_prob";

    public string AttentionDropout { get; init; } = "attention_probs_dropout_prob";

    public string ClassifierDropout { get; init; } = "classifier_dropout";

    public string HiddenActivation { get; init; } = "hidden_act";

    public string? TypeVocabularySize { get; init; } = "type_vocab_size";

    public string? LayerNormEpsilon { get; init; } = "layer_norm_eps";

    public string? EmbeddingSize { get; init; }

    public string? SinusoidalPositions { get; init; }

    public static ConfigNames Bert { get; } = new();

    public static ConfigNames Electra { get; } = new() { EmbeddingSize = "embedding_size" };

    public static ConfigNames DistilBert { get; } = new()
    {
        HiddenSize = "dim",
        LayerCount = "n_layers",
        HeadCount = "n_heads",
        IntermediateSize = "hidden_dim",
        HiddenDropout = "dropout",
        AttentionDropout = "attention_dropout",
        ClassifierDropout = "seq_classif_dropout",
        HiddenActivation = "activation",
        TypeVocabularySize = null,
        LayerNormEpsilon = null,
        SinusoidalPositions = "sinusoidal_pos_embds",
    };
}

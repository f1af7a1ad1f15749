namespace MLNetLoRA.Modeling;

/// <summary>How checkpoints of Llama's kind call their parameters; all families do it alike.</summary>
internal static class DecoderKeys
{
    public const string Prefix = "model";
    public const string Embedding = "embed_tokens";
    public const string Layers = "layers";
    public const string InputNorm = "input_layernorm";
    public const string FeedForwardNorm = "post_attention_layernorm";
    public const string FinalNorm = "norm";
    public const string Head = "lm_head";

    private const string EmbeddingWeight = $"{Prefix}.{Embedding}.weight";
    private const string HeadWeight = $"{Head}.weight";

    private static readonly string[] BareParts = [$"{Embedding}.", $"{Layers}.", $"{FinalNorm}."];

    /// <summary>The maps of one layer, in the order in which it uses them: the name for adapters, and the key below the layer.</summary>
    public static IReadOnlyList<SlotKey> Slots { get; } =
    [
        new("q_proj", "self_attn.q_proj"), new("k_proj", "self_attn.k_proj"), new("v_proj", "self_attn.v_proj"), new("o_proj", "self_attn.o_proj"),
        new("gate_proj", "mlp.gate_proj"), new("up_proj", "mlp.up_proj"), new("down_proj", "mlp.down_proj"),
    ];

    /// <summary>What the keys of the layers start with.</summary>
    public static string LayersPrefix => $"{Prefix}.{Layers}.";

    /// <summary>What the keys of one layer start with, without the dot.</summary>
    public static string LayerKey(int number) => $"{LayersPrefix}{number}";

    /// <summary>The network's key for a checkpoint's key, or null for a constant that old versions of the transformers library saved.</summary>
    /// <remarks>Adds the prefix where a bare decoder was saved ("layers.0…").</remarks>
    public static string? Canonical(string key)
    {
        if (key.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)) return null;
        return BareParts.Any(part => key.StartsWith(part, StringComparison.Ordinal)) ? $"{Prefix}.{key}" : key;
    }

    /// <summary>The name in the file by the network's key.</summary>
    /// <exception cref="InvalidDataException">The checkpoint holds a parameter twice, in two spellings.</exception>
    public static Dictionary<string, string> InFile(Checkpoint checkpoint) => CheckpointKeys.InFile(checkpoint, Canonical, mayRepeat: _ => false);

    /// <summary>Whether a canonical key is the token embedding's.</summary>
    public static bool IsEmbedding(string key) => key == EmbeddingWeight;

    /// <summary>Whether a canonical key is the head's.</summary>
    public static bool IsHead(string key) => key == HeadWeight;

    /// <summary>Whether a canonical key belongs to a decoder; a tied head's copy of the embedding does not.</summary>
    public static bool IsParameter(string key, DecoderConfig config) =>
        key.StartsWith($"{Prefix}.", StringComparison.Ordinal) || (IsHead(key) && !config.TieWordEmbeddings);
}

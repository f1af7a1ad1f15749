namespace MLNetLoRA.Modeling;

/// <summary>The one spelling of each parameter that networks ask for, whatever a checkpoint's author wrote.</summary>
internal static class CheckpointKeys
{
    /// <summary>The network's key for a checkpoint's key, or null for one that carries nothing to load.</summary>
    /// <remarks>
    /// Adds the family's prefix where a bare encoder was saved ("encoder.layer.0…"), spells the norms of old checkpoints (gamma, beta) as
    /// today's, finds the language-model head's bias under either of its names, and drops position_ids (a constant), the next-sentence
    /// head, and a tied decoder's copy of the embedding.
    /// </remarks>
    public static string? Canonical(string key, EncoderConfig config)
    {
        if (key.EndsWith("embeddings.position_ids", StringComparison.Ordinal) || key.StartsWith("cls.seq_relationship.", StringComparison.Ordinal))
            return null;
        if (config.TieWordEmbeddings && key is "cls.predictions.decoder.weight" or "lm_head.decoder.weight")
            return null;
        if (key is "cls.predictions.decoder.bias") return "cls.predictions.bias";
        if (key is "lm_head.decoder.bias") return "lm_head.bias";

        if (key.EndsWith(".LayerNorm.gamma", StringComparison.Ordinal)) key = key[..^"gamma".Length] + "weight";
        if (key.EndsWith(".LayerNorm.beta", StringComparison.Ordinal)) key = key[..^"beta".Length] + "bias";

        string[] bareParts = ["embeddings.", "encoder.", "pooler."];
        return bareParts.Any(part => key.StartsWith(part, StringComparison.Ordinal)) ? $"{config.CheckpointPrefix}.{key}" : key;
    }

    /// <summary>The name in the file by the network's key, for all that a checkpoint holds to load.</summary>
    public static Dictionary<string, string> InFile(Checkpoint checkpoint, EncoderConfig config)
    {
        var fileKeys = new Dictionary<string, string>();
        // "bias" sorts before "decoder.bias", so where a file holds both copies the proper one is kept.
        foreach (var fileKey in checkpoint.Entries.Keys.Order(StringComparer.Ordinal))
            if (Canonical(fileKey, config) is { } key) fileKeys.TryAdd(key, fileKey);
        return fileKeys;
    }

    /// <summary>Whether a canonical key belongs to a base model: encoder, pooler, language-model head; not a classification head.</summary>
    public static bool IsBaseKey(string key, EncoderConfig config) =>
        key.StartsWith(config.CheckpointPrefix + ".", StringComparison.Ordinal) || MaskedLanguageModel.IsHeadKey(key);
}

namespace MLNetLoRA.Modeling;

/// <summary>The one spelling of each parameter that networks ask for, whatever a checkpoint's author wrote.</summary>
internal static class CheckpointKeys
{
    // Constants that old versions of the transformers library saved with the weights.
    private static readonly string[] Buffers = ["embeddings.position_ids", "embeddings.token_type_ids"];

    /// <summary>The network's key for a checkpoint's key, or null for one that carries nothing to load.</summary>
    /// <remarks>
    /// Adds the family's prefix where a bare encoder was saved ("encoder.layer.0…"), spells the norms of old checkpoints (gamma, beta) as
    /// today's, finds the language-model head's bias under either of its names, and drops constants, BERT's next-sentence head, and a tied
    /// decoder's copy of the embedding.
    /// </remarks>
    public static string? Canonical(string key, EncoderConfig config)
    {
        var head = config.Layout.LanguageModel;
        if (Buffers.Any(buffer => key.EndsWith(buffer, StringComparison.Ordinal)) || key.StartsWith("cls.seq_relationship.", StringComparison.Ordinal))
            return null;
        if (config.TieWordEmbeddings && key == head.Decoder) return null;
        if (key == head.BiasCopy) return head.Bias;

        key = NormKeys.Today(key);
        return config.Layout.BareParts.Any(part => key.StartsWith(part, StringComparison.Ordinal)) ? $"{config.CheckpointPrefix}.{key}" : key;
    }

    /// <summary>The name in the file by the network's key, for all that a checkpoint holds to load.</summary>
    /// <exception cref="InvalidDataException">The checkpoint holds a parameter twice, in two spellings.</exception>
    // "bias" sorts before "decoder.bias", so where a file holds both copies of the head's bias the proper one is kept.
    public static Dictionary<string, string> InFile(Checkpoint checkpoint, EncoderConfig config) =>
        InFile(checkpoint, key => Canonical(key, config), mayRepeat: fileKey => fileKey == config.Layout.LanguageModel.BiasCopy);

    /// <summary>The same for any architecture.</summary>
    /// <param name="checkpoint">The weights.</param>
    /// <param name="canonical">The network's key for the file's, or null.</param>
    /// <param name="mayRepeat">Whether a file's key may say again what one before it in the alphabet has said.</param>
    public static Dictionary<string, string> InFile(Checkpoint checkpoint, Func<string, string?> canonical, Func<string, bool> mayRepeat)
    {
        var fileKeys = new Dictionary<string, string>();
        var twice = new List<string>();
        foreach (var fileKey in checkpoint.Entries.Keys.Order(StringComparer.Ordinal))
        {
            if (canonical(fileKey) is { } key && !fileKeys.TryAdd(key, fileKey) && !mayRepeat(fileKey))
                twice.Add($"{MessageText.Quote(fileKeys[key])} and {MessageText.Quote(fileKey)}");
        }
        return twice.Count == 0 ? fileKeys : throw new InvalidDataException(
            $"{checkpoint.Source}: {twice.Count} parameters are there in two spellings ({twice[0]}{(twice.Count > 1 ? ", …" : "")}); "
            + "save the checkpoint again with one of each.");
    }

    /// <summary>Whether a canonical key belongs to a base model: encoder, pooler, language-model head; not a classification head.</summary>
    public static bool IsBaseKey(string key, EncoderConfig config) =>
        key.StartsWith(config.CheckpointPrefix + ".", StringComparison.Ordinal) || MaskedLanguageModel.IsHeadKey(key, config);
}

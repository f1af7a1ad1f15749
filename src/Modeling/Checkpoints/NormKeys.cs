namespace MLNetLoRA.Modeling;

/// <summary>How checkpoints spell the parameters of layer normalisation: old ones say gamma and beta, today's weight and bias.</summary>
internal static class NormKeys
{
    private static readonly (string Old, string Today)[] Spellings =
        [(".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias")];

    /// <summary>The key as it is spelled today.</summary>
    public static string Today(string key)
    {
        foreach (var (old, today) in Spellings)
            if (key.EndsWith(old, StringComparison.Ordinal)) return key[..^old.Length] + today;
        return key;
    }
}

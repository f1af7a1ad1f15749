namespace MLNetLoRA.Modeling;

/// <summary>How a decoder's tokenizer spells the tokens with a role; null for a role it has no token for.</summary>
internal sealed record DecoderTokenNames(string? Pad, string? Unknown, string? Begin, string? End)
{
    /// <summary>As the configuration says.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="otherwise">What the tokenizer's class takes where the configuration is silent.</param>
    public static DecoderTokenNames Of(TokenizerConfig config, DecoderTokenNames otherwise) => new(
        config.Role("pad_token") ?? otherwise.Pad, config.Role("unk_token") ?? otherwise.Unknown,
        config.Role("bos_token") ?? otherwise.Begin, config.Role("eos_token") ?? otherwise.End);

    /// <exception cref="InvalidDataException">Some have a name and no id; the text lists them.</exception>
    public SpecialTokens Resolve(Func<string, int?> find, Func<string, Exception> fault)
    {
        var missing = new List<string>();
        var special = new SpecialTokens(IdOf(Pad), IdOf(Unknown), Classify: null, Separator: null, Mask: null, IdOf(Begin), IdOf(End));
        return missing.Count == 0
            ? special
            : throw fault($"special tokens {string.Join(", ", missing)} have no id; use the files that came with the checkpoint, "
                + $"or name the right tokens in {TokenizerFileSet.TokenizerConfig}.");

        int? IdOf(string? name)
        {
            if (name is null) return null;
            if (find(name) is { } id) return id;
            missing.Add(name);
            return null;
        }
    }
}

namespace MLNetLoRA.Modeling;

/// <summary>How a tokenizer spells the tokens with a role.</summary>
internal sealed record SpecialTokenNames(string Pad, string Unknown, string Classify, string Separator, string Mask)
{
    private static readonly SpecialTokenNames Roberta = new("<pad>", "<unk>", "<s>", "</s>", "<mask>");
    private static readonly SpecialTokenNames Bert = new("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");

    /// <summary>As the configuration says, and otherwise as the family always has.</summary>
    public static SpecialTokenNames Of(TokenizerConfig config, bool isWordPiece)
    {
        var family = isWordPiece ? Bert : Roberta;
        return new SpecialTokenNames(
            config.Role("pad_token", family.Pad),
            config.Role("unk_token", family.Unknown),
            config.Role("cls_token", family.Classify),
            config.Role("sep_token", family.Separator),
            config.Role("mask_token", family.Mask));
    }

    /// <exception cref="InvalidDataException">Some have no id; the text lists them.</exception>
    public SpecialTokens Resolve(Func<string, int?> find, Func<string, Exception> fault)
    {
        var missing = new List<string>();
        var special = new SpecialTokens(IdOf(Pad), IdOf(Unknown), IdOf(Classify), IdOf(Separator), IdOf(Mask), Begin: null, End: null);
        special = special with { Begin = special.Classify, End = special.Separator };
        return missing.Count == 0
            ? special
            : throw fault($"special tokens {string.Join(", ", missing)} have no id; use the files that came with the checkpoint, "
                + $"or name the right tokens or tokenizer_class in {TokenizerFileSet.TokenizerConfig}.");

        int IdOf(string name)
        {
            if (find(name) is { } id) return id;
            missing.Add(name);
            return 0;
        }
    }
}

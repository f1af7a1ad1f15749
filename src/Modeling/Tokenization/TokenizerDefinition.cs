namespace MLNetLoRA.Modeling;

/// <summary>The tokens with a role of their own; null for a role that the tokenizer has no token for.</summary>
/// <remarks>Encoders have the first five, and open and end a text with Classify and Separator; decoders have some of Pad, Unknown, Begin and End.</remarks>
internal sealed record SpecialTokens(int? Pad, int? Unknown, int? Classify, int? Separator, int? Mask, int? Begin, int? End);

/// <summary>All that a tokenizer's files say, whichever files they were.</summary>
/// <param name="Model">The subword algorithm.</param>
/// <param name="Vocabulary">The model's tokens and their ids.</param>
/// <param name="AddedTokens">Tokens matched before the model sees the text.</param>
/// <param name="SpecialTokens">The ids with a role.</param>
/// <param name="Template">Where special tokens stand in a row.</param>
internal sealed record TokenizerDefinition(
    ISubwordModel Model,
    IReadOnlyDictionary<string, int> Vocabulary,
    IReadOnlyList<AddedToken> AddedTokens,
    SpecialTokens SpecialTokens,
    SequenceTemplate Template)
{
    /// <summary>Reads <c>tokenizer.json</c> where it is complete, and the vocabulary files of the tokenizer's class otherwise.</summary>
    /// <exception cref="InvalidDataException">Both are there and disagree, or something is missing, malformed or not supported.</exception>
    public static TokenizerDefinition Read(TokenizerFileSet files)
    {
        var config = TokenizerConfig.Read(files);
        var hasVocabularyFiles = VocabularyFilesReader.VocabularyNames.Any(files.Has);
        if (files.Has(TokenizerFileSet.TokenizerJson))
        {
            var missing = files.ReadJson(TokenizerFileSet.TokenizerJson, TokenizerJsonReader.MissingParts);
            if (missing.Count == 0)
            {
                var definition = files.ReadJson(TokenizerFileSet.TokenizerJson, new TokenizerJsonReader(files, config).Read);
                new TokenizerAgreement(files, definition).Check();
                return definition;
            }
            if (!hasVocabularyFiles)
                throw files.Fault(TokenizerFileSet.TokenizerJson,
                    $"has no {string.Join(", no ", missing)}; save the tokenizer again with save_pretrained.");
        }
        if (!hasVocabularyFiles) throw files.NothingFound();
        return new VocabularyFilesReader(files, config).Read();
    }

    /// <summary>Every token at its id; null where an id is free.</summary>
    public string?[] TokensById()
    {
        var tokens = new string?[1 + Math.Max(Vocabulary.Values.Max(), AddedTokens.Select(token => token.Id).DefaultIfEmpty(0).Max())];
        foreach (var (token, id) in Vocabulary) tokens[id] = token;
        foreach (var token in AddedTokens) tokens[token.Id] = token.Content;
        return tokens;
    }
}

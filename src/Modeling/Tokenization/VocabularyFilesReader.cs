namespace MLNetLoRA.Modeling;

/// <summary>Reads <c>vocab.json</c> with <c>merges.txt</c>, or <c>vocab.txt</c>; the tokenizer's class decides what these leave open.</summary>
internal sealed class VocabularyFilesReader(TokenizerFileSet files, TokenizerConfig config)
{
    private static readonly string[] BytePairClasses = ["RobertaTokenizer", "RobertaTokenizerFast"];
    private static readonly string[] WordPieceClasses =
        ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast", "ElectraTokenizer", "ElectraTokenizerFast"];

    public TokenizerDefinition Read() => IsWordPiece() ? ReadWordPiece() : ReadBytePairs();

    private bool IsWordPiece()
    {
        var (hasLines, hasJson) = (files.Has(TokenizerFileSet.VocabularyText), files.Has(TokenizerFileSet.VocabularyJson));
        if (config.TokenizerClass is null)
        {
            if (hasLines && hasJson)
                throw files.Fault(TokenizerFileSet.VocabularyText, $"{TokenizerFileSet.VocabularyJson} is there too, and no "
                    + $"{TokenizerFileSet.TokenizerConfig} says which to use; add it with a tokenizer_class, or remove one.");
            return hasLines;
        }
        if (WordPieceClasses.Contains(config.TokenizerClass)) return Require(TokenizerFileSet.VocabularyText, isThere: true);
        if (BytePairClasses.Contains(config.TokenizerClass)) return Require(TokenizerFileSet.VocabularyJson, isThere: false);
        throw files.Fault(TokenizerFileSet.TokenizerConfig,
            $"tokenizer_class '{config.TokenizerClass}' is not supported without a complete {TokenizerFileSet.TokenizerJson}; "
            + $"supported: {string.Join(", ", [.. BytePairClasses, .. WordPieceClasses])}.");
    }

    private bool Require(string name, bool isThere) => files.Has(name)
        ? isThere
        : throw files.Fault(TokenizerFileSet.TokenizerConfig, $"tokenizer_class '{config.TokenizerClass}' reads {name}, which is not there; add it.");

    private TokenizerDefinition ReadBytePairs()
    {
        if (!files.Has(TokenizerFileSet.Merges))
            throw Fault($"byte-level BPE needs {TokenizerFileSet.Merges} beside it; add the one of the same checkpoint.");
        var vocabulary = files.ReadJson(TokenizerFileSet.VocabularyJson, root => Vocabulary.FromJson(root, Fault));
        var merges = Vocabulary.CheckMerges(Vocabulary.MergesFromLines(files.ReadText(TokenizerFileSet.Merges), MergeFault), vocabulary, MergeFault);

        var names = SpecialTokenNames.Of(config, isWordPiece: false);
        var (special, added) = ResolveSpecialTokens(names, TokenizerFileSet.VocabularyJson, vocabulary, maskStripsLeft: true);
        var model = ByteLevelBpe.Create(vocabulary, merges, names.Unknown, special.Unknown, config.Flag("add_prefix_space", false) ?? false);
        return new TokenizerDefinition(model, vocabulary, added, special, SequenceTemplate.Roberta(special.Classify, special.Separator));

        InvalidDataException Fault(string text) => files.Fault(TokenizerFileSet.VocabularyJson, text);
        InvalidDataException MergeFault(string text) => files.Fault(TokenizerFileSet.Merges, text);
    }

    private TokenizerDefinition ReadWordPiece()
    {
        var vocabulary = Vocabulary.FromLines(
            files.ReadText(TokenizerFileSet.VocabularyText), text => files.Fault(TokenizerFileSet.VocabularyText, text));
        var names = SpecialTokenNames.Of(config, isWordPiece: true);
        var (special, added) = ResolveSpecialTokens(names, TokenizerFileSet.VocabularyText, vocabulary, maskStripsLeft: false);
        var lowercases = config.Flag("do_lower_case", true) ?? true;
        var normalizer = new BertNormalizer(
            CleansText: true,
            SplitsIdeographs: config.Flag("tokenize_chinese_chars", true) ?? true,
            StripsAccents: config.Flag("strip_accents", null) ?? lowercases,
            Lowercases: lowercases);
        var model = new WordPieceModel(vocabulary, normalizer, WordPieceModel.ContinuationPrefix, WordPieceModel.MaxWordCharacters, special.Unknown);
        return new TokenizerDefinition(model, vocabulary, added, special, SequenceTemplate.Bert(special.Classify, special.Separator));
    }

    /// <summary>The roles' ids, and the tokens matched in the text: those of the roles, and those the configuration adds or describes.</summary>
    private (SpecialTokens, IReadOnlyList<AddedToken>) ResolveSpecialTokens(
        SpecialTokenNames names, string vocabularyFile, Dictionary<string, int> vocabulary, bool maskStripsLeft)
    {
        var added = config.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        var special = names.Resolve(
            name => added.TryGetValue(name, out var token) ? token.Id : vocabulary.TryGetValue(name, out var id) ? id : null,
            text => files.Fault(vocabularyFile, text));
        added.TryAdd(names.Mask, new AddedToken(special.Mask, names.Mask, IsSpecial: true, StripsLeft: maskStripsLeft));
        added.TryAdd(names.Pad, new AddedToken(special.Pad, names.Pad, IsSpecial: true));
        added.TryAdd(names.Unknown, new AddedToken(special.Unknown, names.Unknown, IsSpecial: true));
        added.TryAdd(names.Classify, new AddedToken(special.Classify, names.Classify, IsSpecial: true));
        added.TryAdd(names.Separator, new AddedToken(special.Separator, names.Separator, IsSpecial: true));
        Vocabulary.CheckTogether(vocabulary, added.Values, text => files.Fault(vocabularyFile, text));
        return (special, [.. added.Values]);
    }
}

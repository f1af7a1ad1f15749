namespace MLNetLoRA.Modeling;

/// <summary>
/// Reads <c>vocab.json</c> with <c>merges.txt</c>, or <c>vocab.txt</c>, or a SentencePiece model; the tokenizer's class decides what these leave
/// open.
/// </summary>
internal sealed class VocabularyFilesReader(TokenizerFileSet files, TokenizerConfig config)
{
    /// <summary>The files that hold a vocabulary.</summary>
    public static readonly IReadOnlyList<string> VocabularyNames =
        [TokenizerFileSet.VocabularyText, TokenizerFileSet.VocabularyJson, .. TokenizerFileSet.SentencePieceModels];

    private static readonly string[] BytePairClasses = ["RobertaTokenizer", "RobertaTokenizerFast"];
    private static readonly string[] WordPieceClasses =
        ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast", "ElectraTokenizer", "ElectraTokenizerFast"];

    public TokenizerDefinition Read()
    {
        var name = VocabularyFile();
        return name == TokenizerFileSet.VocabularyText ? ReadWordPiece()
            : name == TokenizerFileSet.VocabularyJson ? ReadBytePairs()
            : new SentencePieceReader(files, config).Read(name);
    }

    /// <summary>The file to read: the one of the tokenizer's class, or the only one there is.</summary>
    private string VocabularyFile()
    {
        string[] present = [.. VocabularyNames.Where(files.Has)];
        if (config.TokenizerClass is { } name)
        {
            var wanted = BytePairClasses.Contains(name) ? [TokenizerFileSet.VocabularyJson]
                : WordPieceClasses.Contains(name) ? [TokenizerFileSet.VocabularyText]
                : SentencePieceReader.Classes.Contains(name) ? TokenizerFileSet.SentencePieceModels
                : throw files.Fault(TokenizerFileSet.TokenizerConfig,
                    $"tokenizer_class '{name}' is not supported without a complete {TokenizerFileSet.TokenizerJson}; "
                    + $"supported: {string.Join(", ", [.. BytePairClasses, .. WordPieceClasses, .. SentencePieceReader.Classes])}.");
            present = [.. present.Intersect(wanted)];
            if (present.Length == 0)
                throw files.Fault(TokenizerFileSet.TokenizerConfig,
                    $"tokenizer_class '{name}' reads {string.Join(" or ", wanted)}, which is not there; add it.");
        }
        foreach (var other in present.Skip(1))
            if (!files.AreEqual(present[0], other))
                throw files.Fault(present[0], $"{other} is there too, and "
                    + (config.TokenizerClass is null
                        ? $"no {TokenizerFileSet.TokenizerConfig} says which to use; add it with a tokenizer_class, or remove one."
                        : "holds another model; remove one."));
        return present[0];
    }

    private TokenizerDefinition ReadBytePairs()
    {
        if (!files.Has(TokenizerFileSet.Merges))
            throw Fault($"byte-level BPE needs {TokenizerFileSet.Merges} beside it; add the one of the same checkpoint.");
        var vocabulary = files.ReadJson(TokenizerFileSet.VocabularyJson, root => Vocabulary.FromJson(root, Fault));
        var merges = Vocabulary.CheckMerges(Vocabulary.MergesFromLines(files.ReadText(TokenizerFileSet.Merges), MergeFault), vocabulary, MergeFault);

        var names = SpecialTokenNames.Of(config, isWordPiece: false);
        var (special, added) = new RoleTokens(files, config).Resolve(names, TokenizerFileSet.VocabularyJson, vocabulary, maskStripsLeft: true);
        var model = new ByteLevelBpe(vocabulary, merges, (names.Unknown, special.Unknown!.Value))
        {
            AddsPrefixSpace = config.Flag("add_prefix_space", false) ?? false,
        };
        return new TokenizerDefinition(model, vocabulary, added, special, SequenceTemplate.Roberta(special.Classify!.Value, special.Separator!.Value));

        InvalidDataException Fault(string text) => files.Fault(TokenizerFileSet.VocabularyJson, text);
        InvalidDataException MergeFault(string text) => files.Fault(TokenizerFileSet.Merges, text);
    }

    private TokenizerDefinition ReadWordPiece()
    {
        var vocabulary = Vocabulary.FromLines(
            files.ReadText(TokenizerFileSet.VocabularyText), text => files.Fault(TokenizerFileSet.VocabularyText, text));
        var names = SpecialTokenNames.Of(config, isWordPiece: true);
        var (special, added) = new RoleTokens(files, config).Resolve(names, TokenizerFileSet.VocabularyText, vocabulary, maskStripsLeft: false);
        var lowercases = config.Flag("do_lower_case", true) ?? true;
        var normalizer = new BertNormalizer(
            CleansText: true,
            SplitsIdeographs: config.Flag("tokenize_chinese_chars", true) ?? true,
            StripsAccents: config.Flag("strip_accents", null) ?? lowercases,
            Lowercases: lowercases);
        var model = new WordPieceModel(vocabulary, normalizer, WordPieceModel.ContinuationPrefix, WordPieceModel.MaxWordCharacters, special.Unknown!.Value);
        var template = SequenceTemplate.Bert(special.Classify!.Value, special.Separator!.Value);
        return new TokenizerDefinition(model, vocabulary, added, special, config.HasTokenTypes ? template : template.WithoutTypes());
    }
}

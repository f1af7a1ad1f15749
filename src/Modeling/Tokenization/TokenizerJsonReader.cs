using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Reads <c>tokenizer.json</c>. Every part that changes ids is either understood or refused by name.</summary>
internal sealed class TokenizerJsonReader(TokenizerFileSet files, TokenizerConfig config)
{
    /// <summary>The parts without which the file cannot stand alone.</summary>
    public static List<string> MissingParts(JsonElement root)
    {
        var missing = new List<string>();
        if (Part(root, "model") is not { } model) return ["model"];
        if (Part(model, "vocab") is null) missing.Add("model.vocab");
        if (Part(root, "pre_tokenizer") is null) missing.Add("pre_tokenizer");
        if (Part(root, "post_processor") is null) missing.Add("post_processor");
        return missing;
    }

    public TokenizerDefinition Read(JsonElement root)
    {
        var model = root.GetProperty("model");
        var type = TypeOf(model);
        if (type is not ("BPE" or "WordPiece")) throw Unsupported("model", type, "BPE, WordPiece");
        var isWordPiece = type == "WordPiece";

        var vocabulary = Vocabulary.FromJson(model.GetProperty("vocab"), Fault);
        var added = ReadAddedTokens(root);
        Vocabulary.CheckTogether(vocabulary, added, Fault);

        var template = ReadTemplate(root.GetProperty("post_processor"));
        var (special, unknown) = ResolveSpecialTokens(isWordPiece, model, template, vocabulary, added);
        foreach (var id in template.SpecialIds.Concat([special.Pad, special.Unknown, special.Mask]))
            if (added.TrueForAll(token => token.Id != id))
                added.Add(new AddedToken(id, vocabulary.First(entry => entry.Value == id).Key, IsSpecial: true));
        return new TokenizerDefinition(
            isWordPiece
                ? ReadWordPiece(root, model, vocabulary, special.Unknown)
                : ReadBytePairs(root, model, vocabulary, unknown, special.Unknown),
            vocabulary, added, special, template);
    }

    private ByteLevelBpe ReadBytePairs(JsonElement root, JsonElement model, Dictionary<string, int> vocabulary, string unknown, int unknownId)
    {
        foreach (var switchName in (ReadOnlySpan<string>)["byte_fallback", "fuse_unk", "ignore_merges"])
            if (Flag(model, switchName, false)) throw Unsupported($"model.{switchName}", "true", "false");
        foreach (var affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (Part(model, affix)?.GetString() is { Length: > 0 } text) throw Unsupported($"model.{affix}", text, "none");
        if (Part(model, "dropout")?.GetDouble() is { } dropout and not 0) throw Unsupported("model.dropout", $"{dropout}", "none");
        if (Part(root, "normalizer") is { } normalizer) throw Unsupported("normalizer", TypeOf(normalizer), "none (for BPE)");

        var cutter = root.GetProperty("pre_tokenizer");
        if (TypeOf(cutter) != "ByteLevel") throw Unsupported("pre_tokenizer", TypeOf(cutter), "ByteLevel (for BPE)");
        if (!Flag(cutter, "use_regex", true)) throw Unsupported("pre_tokenizer.use_regex", "false", "true");
        var addsPrefixSpace = config.Flag("add_prefix_space", null) ?? Flag(cutter, "add_prefix_space", true);

        var merges = Vocabulary.CheckMerges(Vocabulary.MergesFromJson(Required(model, "merges"), Fault), vocabulary, Fault);
        return ByteLevelBpe.Create(vocabulary, merges, unknown, unknownId, addsPrefixSpace);
    }

    private WordPieceModel ReadWordPiece(JsonElement root, JsonElement model, Dictionary<string, int> vocabulary, int unknownId)
    {
        var cutter = root.GetProperty("pre_tokenizer");
        if (TypeOf(cutter) != "BertPreTokenizer") throw Unsupported("pre_tokenizer", TypeOf(cutter), "BertPreTokenizer (for WordPiece)");
        var prefix = Part(model, "continuing_subword_prefix")?.GetString() ?? WordPieceModel.ContinuationPrefix;
        if (prefix.Length == 0) throw Unsupported("model.continuing_subword_prefix", "''", "a prefix such as ##");
        var maxCharacters = Part(model, "max_input_chars_per_word")?.GetInt32() ?? WordPieceModel.MaxWordCharacters;
        return new WordPieceModel(vocabulary, ReadNormalizer(root), prefix, maxCharacters, unknownId);
    }

    /// <summary>The switches of the file; those that <c>tokenizer_config.json</c> names too have its value, as in Hugging Face's classes.</summary>
    private BertNormalizer ReadNormalizer(JsonElement root)
    {
        if (Part(root, "normalizer") is not { } normalizer) return new BertNormalizer(false, false, false, false);
        if (TypeOf(normalizer) != "BertNormalizer") throw Unsupported("normalizer", TypeOf(normalizer), "BertNormalizer (for WordPiece)");
        var lowercases = config.Flag("do_lower_case", null) ?? Flag(normalizer, "lowercase", true);
        return new BertNormalizer(
            CleansText: Flag(normalizer, "clean_text", true),
            SplitsIdeographs: config.Flag("tokenize_chinese_chars", null) ?? Flag(normalizer, "handle_chinese_chars", true),
            StripsAccents: config.Flag("strip_accents", Part(normalizer, "strip_accents")?.GetBoolean()) ?? lowercases,
            Lowercases: lowercases);
    }

    private static List<AddedToken> ReadAddedTokens(JsonElement root)
    {
        var added = new List<AddedToken>();
        if (Part(root, "added_tokens") is { } entries)
            foreach (var entry in entries.EnumerateArray())
                added.Add(TokenizerConfig.ReadAddedToken(entry, entry.GetProperty("id").GetInt32()));
        return added;
    }

    private SequenceTemplate ReadTemplate(JsonElement processor)
    {
        var type = TypeOf(processor);
        return type switch
        {
            "RobertaProcessing" => SequenceTemplate.Roberta(IdOf(processor, "cls"), IdOf(processor, "sep")),
            "BertProcessing" => SequenceTemplate.Bert(IdOf(processor, "cls"), IdOf(processor, "sep")),
            "TemplateProcessing" => new SequenceTemplate(ReadPieces(processor, "single", "A"), ReadPieces(processor, "pair", "AB")),
            _ => throw Unsupported("post_processor", type, "RobertaProcessing, BertProcessing, TemplateProcessing"),
        };

        int IdOf(JsonElement processor, string role) => Required(processor, role)[1].GetInt32();
    }

    private List<TemplatePiece> ReadPieces(JsonElement processor, string name, string wantedTexts)
    {
        var pieces = new List<TemplatePiece>();
        var texts = "";
        foreach (var entry in Required(processor, name).EnumerateArray())
        {
            if (Part(entry, "Sequence") is { } text)
            {
                texts += Required(text, "id").GetString();
                var typeId = Required(text, "type_id").GetByte();
                pieces.Add(texts.EndsWith('B') ? TemplatePiece.Second(typeId) : TemplatePiece.First(typeId));
                continue;
            }
            var token = Required(entry, "SpecialToken");
            var definition = Required(Required(processor, "special_tokens"), Required(token, "id").GetString()!);
            foreach (var id in Required(definition, "ids").EnumerateArray())
                pieces.Add(TemplatePiece.Special(id.GetInt32(), Required(token, "type_id").GetByte()));
        }
        return texts == wantedTexts ? pieces : throw Unsupported($"post_processor.{name}", $"template with texts '{texts}'", wantedTexts);
    }

    /// <summary>Classify and separator are the first and last token of the template; the rest go by name.</summary>
    private (SpecialTokens, string Unknown) ResolveSpecialTokens(
        bool isWordPiece, JsonElement model, SequenceTemplate template, Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        var ids = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        foreach (var token in added) ids[token.Content] = token.Id;
        var around = template.SpecialIds.ToList();
        if (around.Count < 2)
            throw Unsupported("post_processor", $"template with {around.Count} special tokens around a text", "one before and one after it");

        var names = SpecialTokenNames.Of(config, isWordPiece) with { Classify = TokenOf(around[0]), Separator = TokenOf(around[^1]) };
        if (Part(model, "unk_token")?.GetString() is { } unknown) names = names with { Unknown = unknown };
        return (names.Resolve(name => ids.TryGetValue(name, out var id) ? id : null, Fault), names.Unknown);

        string TokenOf(int id) => ids.FirstOrDefault(entry => entry.Value == id).Key
            ?? throw Fault($"the post_processor adds id {id}, which is no token; use the file that came with the checkpoint.");
    }

    private JsonElement Required(JsonElement element, string name) =>
        Part(element, name) ?? throw Fault($"'{name}' is missing; use the file that came with the checkpoint.");

    private static string TypeOf(JsonElement part) => Part(part, "type")?.GetString() ?? "(no type)";

    private static JsonElement? Part(JsonElement element, string name) =>
        element.TryGetProperty(name, out var part) && part.ValueKind != JsonValueKind.Null ? part : null;

    private static bool Flag(JsonElement element, string name, bool otherwise) => Part(element, name)?.GetBoolean() ?? otherwise;

    private InvalidDataException Fault(string text) => files.Fault(TokenizerFileSet.TokenizerJson, text);

    private InvalidDataException Unsupported(string part, string found, string wanted) =>
        Fault($"{part} '{found}' is not supported; supported: {wanted}. Use a checkpoint whose tokenizer is RoBERTa's or BERT's.");
}

using System.Text;
using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Reads <c>tokenizer.json</c>. Every part that changes ids is either understood or refused by name.</summary>
internal sealed class TokenizerJsonReader(TokenizerFileSet files, TokenizerConfig config)
{
    /// <summary>The parts without which the file cannot stand alone.</summary>
    public static List<string> MissingParts(JsonElement root)
    {
        var missing = new List<string>();
        if (root.Part("model") is not { } model) return ["model"];
        if (model.Part("vocab") is null) missing.Add("model.vocab");
        if (root.Part("pre_tokenizer") is null) missing.Add("pre_tokenizer");
        if (root.Part("post_processor") is null) missing.Add("post_processor");
        return missing;
    }

    public TokenizerDefinition Read(JsonElement root)
    {
        var model = root.GetProperty("model");
        var type = model.TypeName();
        if (type is not ("BPE" or "WordPiece" or "Unigram")) throw Unsupported("model", type, "BPE, WordPiece, Unigram");
        var isWordPiece = type == "WordPiece";

        var unigram = type == "Unigram" ? new UnigramJsonReader(files, model) : null;
        var vocabulary = unigram?.Vocabulary ?? Vocabulary.FromJson(model.GetProperty("vocab"), Fault);
        var added = ReadAddedTokens(root);
        Vocabulary.CheckTogether(vocabulary, added, Fault);

        var template = ReadTemplate(root.GetProperty("post_processor"), mayBeByteLevel: type == "BPE");
        var unknownName = unigram?.Unknown ?? model.Part("unk_token")?.GetString();
        var isDecoder = type == "BPE" && template.SpecialIds.Count() < 2;
        var (special, unknown) = isDecoder
            ? ResolveDecoderTokens(unknownName, template, vocabulary, added)
            : ResolveSpecialTokens(isWordPiece, unknownName, template, vocabulary, added);
        foreach (var id in template.SpecialIds.Concat(((int?[])[special.Pad, special.Unknown, special.Mask]).OfType<int>()))
            if (added.TrueForAll(token => token.Id != id))
                added.Add(new AddedToken(id, vocabulary.First(entry => entry.Value == id).Key, IsSpecial: true));
        ISubwordModel algorithm = unigram is not null ? unigram.Read(root)
            : isWordPiece ? ReadWordPiece(root, model, vocabulary, special.Unknown!.Value)
            : ReadBytePairs(root, model, vocabulary, unknown is null ? null : (unknown, special.Unknown!.Value));
        return new TokenizerDefinition(
            algorithm, vocabulary, added, special, config.HasTokenTypes && !isDecoder ? template : template.WithoutTypes());
    }

    private ByteLevelBpe ReadBytePairs(JsonElement root, JsonElement model, Dictionary<string, int> vocabulary, (string Token, int Id)? unknown)
    {
        foreach (var switchName in (ReadOnlySpan<string>)["byte_fallback", "fuse_unk"])
            if (model.Flag(switchName, false)) throw Unsupported($"model.{switchName}", "true", "false");
        foreach (var affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Part(affix)?.GetString() is { Length: > 0 } text) throw Unsupported($"model.{affix}", text, "none");
        if (model.Part("dropout")?.GetDouble() is { } dropout and not 0) throw Unsupported("model.dropout", $"{dropout}", "none");
        if (root.Part("normalizer") is { } normalizer && normalizer.TypeName() != "NFC")
            throw Unsupported("normalizer", normalizer.TypeName(), "none or NFC (for BPE)");
        var (cutter, addsPrefixSpace) = new PreTokenizerReader(files, config).Read(root.GetProperty("pre_tokenizer"));

        var pairs = Vocabulary.MergesFromJson(Required(model, "merges"), Fault);
        if (files.Has(TokenizerFileSet.Merges)) CompareMerges(pairs);
        var merges = Vocabulary.CheckMerges(pairs, vocabulary, Fault);
        var bytePairs = new ByteLevelBpe(vocabulary, merges, unknown)
        {
            AddsPrefixSpace = addsPrefixSpace,
            IgnoresMerges = model.Flag("ignore_merges", false),
            Cutter = cutter,
            Normalizer = root.Part("normalizer") is null ? text => text : UnicodeFolding.Normalizer(NormalizationForm.FormC, "NFC"),
        };
        return bytePairs;
    }

    private void CompareMerges(List<(string Left, string Right)> merges)
    {
        var other = Vocabulary.MergesFromLines(
            files.ReadText(TokenizerFileSet.Merges), text => files.Fault(TokenizerFileSet.Merges, text));
        var same = merges.Zip(other).TakeWhile(pair => pair.First == pair.Second).Count();
        if (same == merges.Count && same == other.Count) return;
        throw Fault($"disagrees with {files.Name(TokenizerFileSet.Merges)} beside it: merge {same + 1} is {Show(merges)} here and {Show(other)} there. "
            + "Keep the files of one checkpoint, or remove those of the other.");

        string Show(List<(string Left, string Right)> list) => same < list.Count ? $"'{list[same].Left} {list[same].Right}'" : "missing";
    }

    private WordPieceModel ReadWordPiece(JsonElement root, JsonElement model, Dictionary<string, int> vocabulary, int unknownId)
    {
        var cutter = root.GetProperty("pre_tokenizer");
        if (cutter.TypeName() != "BertPreTokenizer") throw Unsupported("pre_tokenizer", cutter.TypeName(), "BertPreTokenizer (for WordPiece)");
        var prefix = model.Part("continuing_subword_prefix")?.GetString() ?? WordPieceModel.ContinuationPrefix;
        if (prefix.Length == 0) throw Unsupported("model.continuing_subword_prefix", "''", "a prefix such as ##");
        var maxCharacters = model.Part("max_input_chars_per_word")?.GetInt32() ?? WordPieceModel.MaxWordCharacters;
        return new WordPieceModel(vocabulary, ReadNormalizer(root), prefix, maxCharacters, unknownId);
    }

    /// <summary>The switches of the file; those that <c>tokenizer_config.json</c> names too have its value, as in Hugging Face's classes.</summary>
    private BertNormalizer ReadNormalizer(JsonElement root)
    {
        if (root.Part("normalizer") is not { } normalizer) return new BertNormalizer(false, false, false, false);
        if (normalizer.TypeName() != "BertNormalizer") throw Unsupported("normalizer", normalizer.TypeName(), "BertNormalizer (for WordPiece)");
        var lowercases = config.Flag("do_lower_case", null) ?? normalizer.Flag("lowercase", true);
        return new BertNormalizer(
            CleansText: normalizer.Flag("clean_text", true),
            SplitsIdeographs: config.Flag("tokenize_chinese_chars", null) ?? normalizer.Flag("handle_chinese_chars", true),
            StripsAccents: config.Flag("strip_accents", normalizer.Part("strip_accents")?.GetBoolean()) ?? lowercases,
            Lowercases: lowercases);
    }

    private static List<AddedToken> ReadAddedTokens(JsonElement root)
    {
        var added = new List<AddedToken>();
        if (root.Part("added_tokens") is { } entries)
            foreach (var entry in entries.EnumerateArray())
                added.Add(TokenizerConfig.ReadAddedToken(entry, entry.GetProperty("id").GetInt32()));
        return added;
    }

    private SequenceTemplate ReadTemplate(JsonElement processor, bool mayBeByteLevel)
    {
        var type = processor.TypeName();
        return type switch
        {
            "RobertaProcessing" => SequenceTemplate.Roberta(IdOf(processor, "cls"), IdOf(processor, "sep")),
            "BertProcessing" => SequenceTemplate.Bert(IdOf(processor, "cls"), IdOf(processor, "sep")),
            "ByteLevel" when mayBeByteLevel => SequenceTemplate.Decoder(begin: null, end: null),
            "Sequence" when mayBeByteLevel => ReadSequence(processor),
            "TemplateProcessing" => new SequenceTemplate(ReadPieces(processor, "single", "A"), ReadPieces(processor, "pair", "AB")),
            _ => throw Unsupported("post_processor", type, "RobertaProcessing, BertProcessing, TemplateProcessing; for BPE also ByteLevel, and a Sequence of it and another"),
        };

        int IdOf(JsonElement processor, string role) => Required(processor, role)[1].GetInt32();
    }

    // ByteLevel says which letters of the text a token covers, and adds none.
    private SequenceTemplate ReadSequence(JsonElement processor)
    {
        JsonElement[] steps = [.. Required(processor, "processors").EnumerateArray().Where(step => step.TypeName() != "ByteLevel")];
        if (steps.Length == 0) return SequenceTemplate.Decoder(begin: null, end: null);
        return steps is [var step]
            ? ReadTemplate(step, mayBeByteLevel: false)
            : throw Unsupported("post_processor", $"Sequence of {string.Join(", ", steps.Select(other => other.TypeName()))}", "a Sequence of ByteLevel and one other");
    }

    private List<TemplatePiece> ReadPieces(JsonElement processor, string name, string wantedTexts)
    {
        var pieces = new List<TemplatePiece>();
        var texts = "";
        foreach (var entry in Required(processor, name).EnumerateArray())
        {
            if (entry.Part("Sequence") is { } text)
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
    private (SpecialTokens, string? Unknown) ResolveSpecialTokens(
        bool isWordPiece, string? unknown, SequenceTemplate template, Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        var ids = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        foreach (var token in added) ids[token.Content] = token.Id;
        var around = template.SpecialIds.ToList();
        if (around.Count < 2)
            throw Unsupported("post_processor", $"template with {around.Count} special tokens around a text", "one before and one after it");

        var names = SpecialTokenNames.Of(config, isWordPiece) with { Classify = TokenOf(around[0]), Separator = TokenOf(around[^1]) };
        if (unknown is not null) names = names with { Unknown = unknown };
        return (names.Resolve(name => ids.TryGetValue(name, out var id) ? id : null, Fault), names.Unknown);

        string TokenOf(int id) => ids.FirstOrDefault(entry => entry.Value == id).Key
            ?? throw Fault($"the post_processor adds id {id}, which is no token; use the file that came with the checkpoint.");
    }

    /// <summary>The token that the template puts before a text begins it; the rest go by name.</summary>
    private (SpecialTokens, string? Unknown) ResolveDecoderTokens(
        string? unknown, SequenceTemplate template, Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        var ids = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        foreach (var token in added) ids[token.Content] = token.Id;
        foreach (var id in template.SpecialIds)
            if (!ids.ContainsValue(id)) throw Fault($"the post_processor adds id {id}, which is no token; use the file that came with the checkpoint.");

        var names = DecoderTokenNames.Of(config, new DecoderTokenNames(Pad: null, Unknown: null, Begin: null, End: null)) with { Unknown = unknown };
        if (template.OpeningId is { } opening) names = names with { Begin = ids.First(entry => entry.Value == opening).Key };
        return (names.Resolve(name => ids.TryGetValue(name, out var id) ? id : null, Fault), unknown);
    }

    private JsonElement Required(JsonElement element, string name) =>
        element.Part(name) ?? throw Fault($"'{name}' is missing; use the file that came with the checkpoint.");

    private InvalidDataException Fault(string text) => files.Fault(TokenizerFileSet.TokenizerJson, text);

    private InvalidDataException Unsupported(string part, string found, string wanted) =>
        files.Unsupported(TokenizerFileSet.TokenizerJson, part, found, wanted);
}

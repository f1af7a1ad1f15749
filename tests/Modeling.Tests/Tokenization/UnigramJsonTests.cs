using System.Text.Json.Nodes;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>Ids of Hugging Face's own library (tokenizers 0.22.2) for one vocabulary behind several normalizers and pre-tokenizers.</summary>
public class UnigramJsonTests
{
    private static readonly JsonNode Golden = SentencePieceAssets.Json("huggingface.json");

    public static TheoryData<string> Variants => [.. Golden["variants"]!.AsArray().Select(variant => (string)variant!["name"]!)];

    [Theory, MemberData(nameof(Variants))]
    public void EncodeRaw_EveryText_EqualsHuggingFace(string name)
    {
        var variant = Golden["variants"]!.AsArray().Single(one => (string)one!["name"]! == name)!;
        var tokenizer = TinyTokenizer.Read(Change(variant));
        var expected = variant["ids"]!.AsArray();
        Assert.Equal(94, expected.Count);
        Assert.All(SentencePieceAssets.Texts.Zip(expected), one => Assert.Equal(SentencePieceAssets.Ids(one.Second!), tokenizer.EncodeRaw(one.First)));
    }

    [Fact]
    public void Encode_PairAndSpecialTokens_EqualsHuggingFace()
    {
        var tokenizer = TinyTokenizer.Read(SentencePieceAssets.AsFile("xlm-roberta/tokenizer.json"));
        Assert.Equal(SentencePieceAssets.Ids(Golden["pair"]!), tokenizer.Encode("hello world", "  leading and trailing  ", 100).Ids);
        Assert.Equal(SentencePieceAssets.Ids(Golden["marked"]!), tokenizer.EncodeRaw("a  <mask> b</s><unk> c <s>"));
    }

    [Fact]
    public void Read_ModelFileBesideIt_AgreesInEveryProperty()
    {
        var json = TinyTokenizer.Read(SentencePieceAssets.AsFile("xlm-roberta/tokenizer.json"), SentencePieceAssets.AsFile(SentencePieceAssets.XlmRoberta));
        var model = TinyTokenizer.Read(SentencePieceAssets.AsFile(SentencePieceAssets.XlmRoberta), SentencePieceAssets.Class("XLMRobertaTokenizer"));
        Assert.Equal(
            (json.VocabularySize, json.PadId, json.UnknownId, json.ClassifyId, json.SeparatorId, json.MaskId, json.UsesTokenTypes),
            (model.VocabularySize, model.PadId, model.UnknownId, model.ClassifyId, model.SeparatorId, model.MaskId, model.UsesTokenTypes));
        Assert.Equal(model.Encode("The President, é ½", "x", 100).Ids, json.Encode("The President, é ½", "x", 100).Ids);
    }

    public static TheoryData<string, string, string> UnsupportedParts => new()
    {
        { "normalizer", """{"type": "Nmt"}""", "normalizer 'Nmt'" },
        { "normalizer", """{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}]}""", "normalizer 'Prepend in a Sequence'" },
        { "normalizer", """{"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": []}]}""", "normalizer 'Sequence in a Sequence'" },
        { "normalizer", """{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}""", "normalizer.Replace.pattern" },
        { "normalizer", """{"type": "Replace", "pattern": {"String": ""}, "content": " "}""", "normalizer.Replace.pattern" },
        { "normalizer", """{"type": "Precompiled", "precompiled_charsmap": "AAA="}""", "precompiled_charsmap is damaged" },
        { "normalizer", """{"type": "Precompiled", "precompiled_charsmap": "!"}""", "not the JSON of a tokenizer" },
        { "pre_tokenizer", """{"type": "Whitespace"}""", "pre_tokenizer 'Whitespace'" },
        { "pre_tokenizer", """{"type": "Metaspace", "replacement": "_"}""", "pre_tokenizer.replacement '_'" },
        { "pre_tokenizer", """{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}""", "pre_tokenizer.prepend_scheme 'first'" },
        { "pre_tokenizer", """{"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Metaspace"}]}""", "Sequence of Digits, Metaspace" },
        { "pre_tokenizer", """{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "split": false}]}""", "WhitespaceSplit before" },
        { "post_processor", """{"type": "ByteLevel"}""", "post_processor 'ByteLevel'" },
        { "model.type", "\"WordLevel\"", "model 'WordLevel'" },
        { "model.unk_id", "null", "model.unk_id 'null'" },
        { "model.unk_id", "70000", "model.unk_id is 70000" },
        { "model.unk_id", "-1", "model.unk_id is -1" },
        { "model.byte_fallback", "true", "'<0x00>' is missing" },
        { "model.vocab", "[]", "the vocabulary is empty" },
        { "model.vocab", """[["a", 1e999]]""", "scores are finite" },
        { "model.vocab", """[["a", 0], ["a", 0]]""", "are both 'a'" },
        { "model.vocab", """[["a"]]""", "not the JSON of a tokenizer" },
    };

    [Theory, MemberData(nameof(UnsupportedParts))]
    public void Read_PartNotSupported_NamesIt(string path, string json, string reason)
    {
        var root = SentencePieceAssets.Json("xlm-roberta/tokenizer.json");
        var names = path.Split('.');
        var owner = names[..^1].Aggregate(root, (node, name) => node[name]!);
        owner[names[^1]] = JsonNode.Parse(json);
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(TinyTokenizer.Text("tokenizer.json", root.ToJsonString())));
        Assert.Contains("tiny/tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private static TokenizerFile Change(JsonNode variant)
    {
        var root = SentencePieceAssets.Json("xlm-roberta/tokenizer.json");
        var own = root["normalizer"]!;
        if (variant.AsObject().TryGetPropertyValue("normalizer", out var normalizer)) root["normalizer"] = Replace(normalizer?.DeepClone(), own);
        if (variant["pre_tokenizer"] is { } cutter) root["pre_tokenizer"] = cutter.DeepClone();
        if (variant["bytes"] is not null)
        {
            root["model"]!["byte_fallback"] = true;
            for (var value = 0; value < 256; value++) root["model"]!["vocab"]!.AsArray().Add((JsonNode)new JsonArray($"<0x{value:X2}>", 0));
        }
        return TinyTokenizer.Text("tokenizer.json", root.ToJsonString());
    }

    /// <summary>The file's own normalizer where the variant says so.</summary>
    private static JsonNode? Replace(JsonNode? part, JsonNode own)
    {
        if (part is JsonValue) return own.DeepClone();
        if (part?["normalizers"] is JsonArray steps)
            for (var index = 0; index < steps.Count; index++) steps[index] = Replace(steps[index]!.DeepClone(), own);
        return part;
    }
}

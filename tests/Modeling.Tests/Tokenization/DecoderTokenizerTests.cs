using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>Tokenizers of decoders: ids of Hugging Face's library for files built as those of Llama 3 and Qwen2 are, and of stories260K.</summary>
public class DecoderTokenizerTests
{
    private static readonly string Assets = Path.Combine(AppContext.BaseDirectory, "Assets", "byte-pairs");

    [Theory]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void Encode_TokenizerJson_EqualsHuggingFace(string name)
    {
        var tokenizer = TextTokenizer.FromFolder(Path.Combine(Assets, name));
        var (texts, ids) = Expected(name);

        foreach (var (text, expected) in texts.Zip(ids))
        {
            Assert.Equal(expected, tokenizer.Encode(text, null, int.MaxValue).Ids);
            Assert.Equal(expected, tokenizer.Encode(text, null, int.MaxValue).Ids);      // from the cache
        }
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void StartDecoding_IdById_GivesTheTextOfAllTogether(string name)
    {
        var tokenizer = TextTokenizer.FromFolder(Path.Combine(Assets, name));
        foreach (var ids in Expected(name).Ids)
        {
            var text = tokenizer.StartDecoding();
            Assert.Equal(tokenizer.Decode(ids), string.Concat(ids.Select(text.Append)) + text.Finish());
        }
    }

    [Fact]
    public void Encode_Llama3_OpensEachTextOfAPair()
    {
        var tokenizer = TextTokenizer.FromFolder(Path.Combine(Assets, "llama3"));
        var begin = tokenizer.BeginId!.Value;
        var pair = tokenizer.Encode("zebra", "elephant", 100);

        Assert.Equal([begin, .. tokenizer.EncodeRaw("zebra"), begin, .. tokenizer.EncodeRaw("elephant")], pair.Ids);
        Assert.Null(pair.TypeIds);
    }

    [Fact]
    public void Roles_OfDecoders_AreThoseNamedAndNoOthers()
    {
        var (llama, qwen) = (TextTokenizer.FromFolder(Path.Combine(Assets, "llama3")), TextTokenizer.FromFolder(Path.Combine(Assets, "qwen2")));

        Assert.Equal((llama.VocabularySize - 2, llama.VocabularySize - 1), (llama.BeginId, llama.EndId));
        Assert.Equal((null, qwen.VocabularySize - 1, qwen.VocabularySize - 2), (qwen.BeginId, qwen.EndId, qwen.PadId));
        Assert.Contains("no mask_token", Assert.Throws<InvalidOperationException>(() => llama.MaskId).Message, StringComparison.Ordinal);
        Assert.Contains("no pad_token", Assert.Throws<InvalidOperationException>(() => llama.PadId).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void StartDecoding_CharacterOverSeveralTokens_IsHeldBackUntilItIsWhole()
    {
        var tokenizer = TextTokenizer.FromFolder(Path.Combine(Assets, "llama3"));
        var ids = tokenizer.EncodeRaw("a😀");
        Assert.Equal(5, ids.Length);
        var text = tokenizer.StartDecoding();

        Assert.Equal(["a", "", "", "", "😀"], ids.Select(text.Append));
        Assert.Equal("", text.Finish());
        var cut = tokenizer.StartDecoding();
        Assert.Equal("a", string.Concat(ids[..3].Select(cut.Append)));
        Assert.Equal("\uFFFD", cut.Finish());
    }

    [Fact]
    public void StartDecoding_UnfinishedCharacterBeforeAnother_IsTheReplacementCharacter()
    {
        var tokenizer = TextTokenizer.FromFolder(Path.Combine(Assets, "llama3"));
        int[] ids = [.. tokenizer.EncodeRaw("😀")[..2], .. tokenizer.EncodeRaw("b")];
        var text = tokenizer.StartDecoding();

        Assert.Equal(["", "", "\uFFFDb"], ids.Select(text.Append));
    }

    [Theory]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "\\d+"}, "behavior": "Isolated", "invert": false}""", "pre_tokenizer.Split.pattern")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Removed", "invert": false}""", "pre_tokenizer.Split.behavior 'Removed'")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated", "invert": true}""", "pre_tokenizer.Split.invert 'true'")]
    [InlineData("""{"type": "Digits"}""", "Sequence of Digits, ByteLevel")]
    public void Read_OtherWords_AreRefusedByName(string split, string reason) => AssertRefused(
        root => root["pre_tokenizer"]!["pretokenizers"]![0] = JsonNode.Parse(split), reason);

    [Fact]
    public void Read_OtherProcessorsNormalizersAndModels_AreRefusedByName()
    {
        AssertRefused(root => root["post_processor"]!["processors"]![1] = JsonNode.Parse("""{"type": "Other"}"""), "post_processor 'Other'");
        AssertRefused(root => root["normalizer"] = JsonNode.Parse("""{"type": "NFKC"}"""), "normalizer 'NFKC'");
        AssertRefused(root => root["model"]!["byte_fallback"] = true, "model.byte_fallback 'true'");
        AssertRefused(root => root["post_processor"]!["processors"]![1]!["special_tokens"]!["<|begin_of_text|>"]!["ids"]![0] = 90_000, "id 90000, which is no token");
    }

    [Fact]
    public void Encode_Stories_EqualsTheReferenceAndReadsBack()
    {
        var folder = SharedData.Path("stories260K");
        var tokenizer = TextTokenizer.FromFolder(folder);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        foreach (var name in (string[])["story", "news"])
        {
            var entry = expected.RootElement.GetProperty(name);
            var (text, ids) = (entry.GetProperty("text").GetString()!, entry.GetProperty("input_ids").Deserialize<int[]>()!);
            Assert.Equal(ids, tokenizer.Encode(text, null, int.MaxValue).Ids);
            Assert.Equal(text, tokenizer.Decode(ids));
            var byId = tokenizer.StartDecoding();
            Assert.Equal(text, string.Concat(ids.Select(byId.Append)) + byId.Finish());
        }
    }

    [Fact]
    public void Encode_StoriesByteFallback_SpellsBytesThatReadBackOneByOne()
    {
        var tokenizer = TextTokenizer.FromFolder(SharedData.Path("stories260K"));
        var ids = tokenizer.EncodeRaw("x😀");

        // Llama's pieces 3 to 258 are the bytes 0x00 to 0xFF.
        Assert.Equal([0xF0 + 3, 0x9F + 3, 0x98 + 3, 0x80 + 3], ids[^4..]);
        var text = tokenizer.StartDecoding();
        Assert.Equal(["", "", "", "😀"], ids.Select(text.Append).TakeLast(4));
    }

    [Theory]
    [InlineData(true, true, false)]
    [InlineData(false, true, false)]
    [InlineData(true, false, true)]
    public void Encode_LlamaSettings_AreHonoured(bool legacy, bool opens, bool ends)
    {
        var tokenizer = Llama(new { tokenizer_class = "LlamaTokenizer", legacy, add_bos_token = opens, add_eos_token = ends });
        var first = tokenizer.EncodeRaw("hello");

        Assert.Equal([.. opens ? [1] : Array.Empty<int>(), .. first, .. ends ? [2] : Array.Empty<int>()], tokenizer.Encode("hello", null, 100).Ids);
        // What stands after an added token is a text of its own in the old way, and goes on as it is written in the new.
        var after = tokenizer.EncodeRaw("hello<s>hello");
        Assert.Equal([.. first, 1], after[..(first.Length + 1)]);
        Assert.Equal(legacy, after[(first.Length + 1)..].AsSpan().SequenceEqual(first));
        Assert.Equal(legacy ? "hello hello" : "hellohello", tokenizer.Decode(after));
    }

    [Fact]
    public void Read_LlamaOfAnotherKindOrWithoutPrefix_IsRefused()
    {
        Assert.Contains("is of kind Unigram", Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(
            SentencePieceAssets.AsFile("unigram/spiece.model") with { Name = "tokenizer.model" },
            TinyTokenizer.Text("tokenizer_config.json", """{"tokenizer_class": "LlamaTokenizer"}"""))).Message, StringComparison.Ordinal);
        Assert.Contains("add_prefix_space 'false'", Assert.Throws<InvalidDataException>(() =>
            Llama(new { tokenizer_class = "LlamaTokenizer", add_prefix_space = false })).Message, StringComparison.Ordinal);
    }

    private static TextTokenizer Llama(object config) => TinyTokenizer.Read(
        SentencePieceAssets.AsFile("bpe/tokenizer.model"), TinyTokenizer.Text("tokenizer_config.json", JsonSerializer.Serialize(config)));

    private static (string[] Texts, int[][] Ids) Expected(string name)
    {
        using var ids = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Assets, "ids.json")));
        return (JsonSerializer.Deserialize<string[]>(File.ReadAllBytes(Path.Combine(Assets, "texts.json")))!, ids.RootElement.GetProperty(name).Deserialize<int[][]>()!);
    }

    private static void AssertRefused(Action<JsonNode> change, string reason)
    {
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(Assets, "llama3", "tokenizer.json")))!;
        change(root);
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(TinyTokenizer.Text("tokenizer.json", root.ToJsonString())));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }
}

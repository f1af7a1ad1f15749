using System.Text.Json.Nodes;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

public class TokenizerBadInputTests
{
    [Fact]
    public void FromFolder_NoTokenizerFiles_ListsWhatIsLookedFor()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<InvalidDataException>(() => TextTokenizer.FromFolder(folder.Path));
        Assert.All(["tokenizer.json", "vocab.json", "merges.txt", "vocab.txt", folder.Path], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void FromFolder_NoFolder_SaysSo() =>
        Assert.Contains("no such folder", Assert.Throws<InvalidDataException>(() => TextTokenizer.FromFolder("nowhere/at-all")).Message, StringComparison.Ordinal);

    [Fact]
    public void FromFolder_FileAboveTheLimit_IsRefusedUnread()
    {
        using var folder = new TemporaryFolder();
        using (var file = File.Create(Path.Combine(folder.Path, "vocab.txt"))) file.SetLength(100_000_001);   // sparse: nothing is written
        Assert.Contains("at most 100 MB", Assert.Throws<InvalidDataException>(() => TextTokenizer.FromFolder(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFiles_SameNameTwice_IsRefused() => Assert.Throws<ArgumentException>(() =>
        TinyTokenizer.Read([.. TinyTokenizer.BytePairFiles(), TinyTokenizer.Text("merges.txt", "")]));

    [Theory]
    [InlineData("{", "not the JSON of a tokenizer")]
    [InlineData("[]", "not the JSON of a tokenizer")]
    [InlineData("{}", "the vocabulary is empty")]
    [InlineData("""{"a": 0, "b": 0}""", "'a' and 'b' have the same id 0")]
    [InlineData("""{"a": 0, "a": 1}""", "'a' stands there twice")]
    [InlineData("""{"a": -1}""", "id -1")]
    [InlineData("""{"a": 10000000}""", "id 10000000")]
    [InlineData("""{"a": 99999999999}""", "not the JSON of a tokenizer")]
    [InlineData("""{"a": "0"}""", "not the JSON of a tokenizer")]
    [InlineData("""{"\ud800": 0}""", "not the JSON of a tokenizer")]
    [InlineData("""{"<s>": 0, "<pad>": 1, "</s>": 2}""", "special tokens <unk>, <mask> have no id")]
    [InlineData("""{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 9000000}""", "ids up to 9000000")]
    public void Read_BadVocabularyJson_IsRefusedWithItsReason(string vocabulary, string reason) =>
        AssertRefused("tiny/vocab.json", reason, TinyTokenizer.BytePairFiles(vocabulary: vocabulary, merges: ""));

    [Theory]
    [InlineData("#version: 0.2\nh e\nhe", "line 3 is 'he'")]
    [InlineData("h e x", "line 1 is 'h e x'")]
    [InlineData("h ", "line 1 is 'h '")]
    [InlineData("z z", "needs token 'zz'")]
    [InlineData("☃ e", "needs token '☃'")]
    public void Read_BadMerges_IsRefusedWithItsReason(string merges, string reason) =>
        AssertRefused("tiny/merges.txt", reason, TinyTokenizer.BytePairFiles(merges: merges));

    [Fact]
    public void Read_MergesMissing_NamesThem() => AssertRefused("vocab.json", "merges.txt", TinyTokenizer.BytePairFiles()[0]);

    [Fact]
    public void Read_VocabularyNotUtf8_IsRefused() => AssertRefused("tiny/vocab.txt", "not UTF-8", new TokenizerFile("vocab.txt", new byte[] { 0xFF, 0xFE, 0x00 }));

    [Fact]
    public void Read_WordPieceWithoutSpecialTokens_ListsThem() =>
        AssertRefused("tiny/vocab.txt", "[PAD], [UNK], [CLS], [SEP], [MASK] have no id", TinyTokenizer.Text("vocab.txt", "a\nb\n"));

    [Fact]
    public void Read_UnknownTokenizerClass_ListsTheSupportedOnes() =>
        AssertRefused("tiny/tokenizer_config.json", "'CLIPTokenizer' is not supported", TinyTokenizer.BytePairFiles(new { tokenizer_class = "CLIPTokenizer" }));

    [Fact]
    public void Read_BothVocabulariesWithoutAClass_AsksForOne() => AssertRefused("tiny/vocab.txt", "tokenizer_class",
        [.. TinyTokenizer.BytePairFiles(), TinyTokenizer.WordPieceFiles(null, "a")[0]]);

    [Fact]
    public void Read_TokenizerClassOfAbsentFiles_NamesThem() =>
        AssertRefused("tiny/tokenizer_config.json", "reads vocab.txt", TinyTokenizer.BytePairFiles(new { tokenizer_class = "BertTokenizer" }));

    public static TheoryData<string, string, string> UnsupportedParts => new()
    {
        { "model.type", "\"WordLevel\"", "model 'WordLevel'" },
        { "model.dropout", "0.1", "model.dropout '0.1'" },
        { "model.byte_fallback", "true", "model.byte_fallback" },
        { "model.fuse_unk", "true", "model.fuse_unk" },
        { "model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix '</w>'" },
        { "normalizer", """{"type": "NFKC"}""", "normalizer 'NFKC'" },
        { "pre_tokenizer", """{"type": "Sequence", "pretokenizers": [{"type": "Split"}]}""", "pre_tokenizer 'Sequence of Split'" },
        { "pre_tokenizer.use_regex", "false", "pre_tokenizer.use_regex" },
        { "post_processor", """{"type": "Other"}""", "post_processor 'Other'" },
        { "post_processor", "null", "has no post_processor" },
        { "model.vocab", "null", "has no model.vocab" },
        { "model.merges", "null", "'merges' is missing" },
        { "model.merges", """[["h", "e", "x"]]""", "merge 1 has 3 parts" },
        { "post_processor.cls", "[\"<s>\"]", "not the JSON of a tokenizer" },
        { "post_processor.cls", "[\"<s>\", 70000]", "adds id 70000" },
        { "added_tokens", """[{"id": 5, "content": "<new>"}]""", "have the same id 5" },
        { "added_tokens", """[{"id": -5, "content": "<new>"}]""", "id -5" },
    };

    [Theory, MemberData(nameof(UnsupportedParts))]
    public void Read_TokenizerJsonWithAPartNotSupported_NamesIt(string path, string json, string reason) =>
        AssertRefused("tiny/tokenizer.json", reason, TinyTokenizer.BytePairJson(root =>
        {
            var names = path.Split('.');
            var owner = names[..^1].Aggregate((JsonNode)root, (node, name) => node[name]!);
            owner[names[^1]] = JsonNode.Parse(json);
        }));

    [Fact]
    public void Read_IncompleteTokenizerJsonBesideVocabularyFiles_UsesThose()
    {
        var json = TinyTokenizer.BytePairJson(root => root["post_processor"] = null);
        var tokenizer = TinyTokenizer.Read([.. TinyTokenizer.BytePairFiles(), json]);
        Assert.Equal(TinyTokenizer.Read(TinyTokenizer.BytePairJson()).Encode("the thing", "a", 20).Ids, tokenizer.Encode("the thing", "a", 20).Ids);
    }

    [Fact]
    public void Read_TokenizerJsonCutAnywhere_IsInvalidData()
    {
        var whole = TinyTokenizer.BytePairJson().Content;
        for (var length = 0; length < whole.Length; length += 37)
        {
            var cut = new TokenizerFile("tokenizer.json", whole[..length]);
            Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(cut));
        }
    }

    private static void AssertRefused(string file, string reason, params TokenizerFile[] files)
    {
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(files));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("tokenizer").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}

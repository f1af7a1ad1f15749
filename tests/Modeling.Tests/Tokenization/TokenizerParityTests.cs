using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>Every case of the parity fixtures, each read from the vocabulary files and from tokenizer.json alone.</summary>
public class TokenizerParityTests
{
    private const int NoLimit = 100_000;

    public static TheoryData<string, bool> Tokenizers => new()
    {
        { "roberta-bpe", false }, { "roberta-bpe", true }, { "bert-wordpiece", false }, { "bert-wordpiece", true },
    };

    [Theory, MemberData(nameof(Tokenizers))]
    public void Encode_SingleTexts_EqualsHuggingFace(string name, bool fromTokenizerJson)
    {
        var tokenizer = Load(name, fromTokenizerJson);
        var cases = Expected(name, "single");
        Assert.Equal(65, cases.Count);
        Assert.All(cases, one => Assert.Equal(Ids(one!, "ids"), tokenizer.Encode((string)one!["text"]!, null, NoLimit).Ids));
    }

    [Theory, MemberData(nameof(Tokenizers))]
    public void Encode_Pairs_EqualsHuggingFaceIdsAndTypes(string name, bool fromTokenizerJson)
    {
        var tokenizer = Load(name, fromTokenizerJson);
        var cases = Expected(name, "pairs");
        Assert.Equal(28, cases.Count);
        Assert.All(cases, one =>
        {
            var encoded = tokenizer.Encode((string)one!["first"]!, (string)one["second"]!, (int?)one["max_tokens"] ?? NoLimit);
            Assert.Equal(Ids(one, "ids"), encoded.Ids);
            Assert.Equal(one["type_ids"] is null ? null : Ids(one, "type_ids"), encoded.TypeIds?.Select(type => (int)type).ToArray());
        });
    }

    [Theory, MemberData(nameof(Tokenizers))]
    public void Encode_LongTexts_IsTruncatedAsHuggingFaceDoes(string name, bool fromTokenizerJson)
    {
        var tokenizer = Load(name, fromTokenizerJson);
        var cases = Expected(name, "truncated");
        Assert.Equal(12, cases.Count);
        Assert.All(cases, one => Assert.Equal(Ids(one!, "ids"), tokenizer.Encode((string)one!["text"]!, null, (int)one["max_tokens"]!).Ids));
    }

    [Theory]
    [InlineData("roberta-bpe")]
    [InlineData("bert-wordpiece")]
    public void FromFiles_TokenizerJsonAlone_AgreesWithVocabularyFilesInEveryProperty(string name)
    {
        var (files, json) = (Load(name, fromTokenizerJson: false), Load(name, fromTokenizerJson: true));

        Assert.Equal(
            (files.VocabularySize, files.PadId, files.UnknownId, files.ClassifyId, files.SeparatorId, files.MaskId, files.UsesTokenTypes),
            (json.VocabularySize, json.PadId, json.UnknownId, json.ClassifyId, json.SeparatorId, json.MaskId, json.UsesTokenTypes));
        var ids = Enumerable.Range(-1, files.VocabularySize + 2).ToList();
        Assert.Equal(ids.Select(files.IsSpecial), ids.Select(json.IsSpecial));
        Assert.Equal(ids.Select(files.StartsWord), ids.Select(json.StartsWord));
        var mixed = $"a {files.Decode([files.MaskId], keepSpecial: true)}, then{files.Decode([files.SeparatorId], keepSpecial: true)} b";
        Assert.Equal(files.EncodeRaw(mixed), json.EncodeRaw(mixed));
        Assert.Contains(files.MaskId, files.EncodeRaw(mixed));
    }

    [Fact]
    public void FromFolder_VocabularyFilesBesideTokenizerJson_GivesTheFixtureIds()
    {
        var tokenizer = TextTokenizer.FromFolder(SharedData.Path("tokenizer-parity", "roberta-bpe"));
        Assert.All(Expected("roberta-bpe", "single"), one => Assert.Equal(Ids(one!, "ids"), tokenizer.Encode((string)one!["text"]!, null, NoLimit).Ids));
    }

    [Theory]
    [InlineData("roberta-bpe")]
    [InlineData("bert-wordpiece")]
    public void Files_GivenToFromFiles_MakeTheSameTokenizerAgain(string name)
    {
        var tokenizer = TextTokenizer.FromFolder(SharedData.Path("tokenizer-parity", name));
        var again = TextTokenizer.FromFiles(tokenizer.Files, "memory");
        Assert.Equal(tokenizer.Encode("Naïve test.", "Second", 16).Ids, again.Encode("Naïve test.", "Second", 16).Ids);
        Assert.DoesNotContain(tokenizer.Files, file => file.Name == "expected.json");
    }

    private static TextTokenizer Load(string name, bool fromTokenizerJson)
    {
        var folder = SharedData.Path("tokenizer-parity", name);
        if (!fromTokenizerJson)
        {
            var files = Directory.GetFiles(folder).Where(path => Path.GetFileName(path) != "tokenizer.json");
            return TextTokenizer.FromFiles([.. files.Select(path => new TokenizerFile(Path.GetFileName(path), File.ReadAllBytes(path)))], folder);
        }
        var json = Path.Combine(folder, "tokenizer.json");
        var content = File.Exists(json) ? File.ReadAllBytes(json) : WordPieceJson(File.ReadAllLines(Path.Combine(folder, "vocab.txt")));
        return TextTokenizer.FromFiles([new TokenizerFile("tokenizer.json", content)], folder);
    }

    /// <summary>What Hugging Face's library saves for bert-base-uncased.</summary>
    private static byte[] WordPieceJson(string[] vocabulary)
    {
        int IdOf(string token) => Array.IndexOf(vocabulary, token);
        string[] special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        object Special(string id, int type) => new { SpecialToken = new { id, type_id = type } };
        object Sequence(string id, int type) => new { Sequence = new { id, type_id = type } };
        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            version = "1.0",
            added_tokens = special.Select(token => new { id = IdOf(token), content = token, single_word = false, lstrip = false, rstrip = false, normalized = false, special = true }),
            normalizer = new { type = "BertNormalizer", clean_text = true, handle_chinese_chars = true, strip_accents = (bool?)null, lowercase = true },
            pre_tokenizer = new { type = "BertPreTokenizer" },
            post_processor = new
            {
                type = "TemplateProcessing",
                single = new[] { Special("[CLS]", 0), Sequence("A", 0), Special("[SEP]", 0) },
                pair = new[] { Special("[CLS]", 0), Sequence("A", 0), Special("[SEP]", 0), Sequence("B", 1), Special("[SEP]", 1) },
                special_tokens = special[2..4].ToDictionary(token => token, token => new { id = token, ids = new[] { IdOf(token) }, tokens = new[] { token } }),
            },
            decoder = new { type = "WordPiece", prefix = "##", cleanup = true },
            model = new
            {
                type = "WordPiece",
                unk_token = "[UNK]",
                continuing_subword_prefix = "##",
                max_input_chars_per_word = 100,
                vocab = vocabulary.Select((token, id) => (token, id)).ToDictionary(entry => entry.token, entry => entry.id),
            },
        });
    }

    private static JsonArray Expected(string name, string kind) =>
        JsonNode.Parse(File.ReadAllText(SharedData.Path("tokenizer-parity", name, "expected.json")))![kind]!.AsArray();

    private static int[] Ids(JsonNode one, string key) => [.. one[key]!.AsArray().Select(id => (int)id!)];
}

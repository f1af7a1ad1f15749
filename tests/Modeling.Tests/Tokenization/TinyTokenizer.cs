using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>Small tokenizers made in the test: the bytes and a few merges, or a few words.</summary>
internal static class TinyTokenizer
{
    private static readonly string[] RobertaSpecial = ["<s>", "<pad>", "</s>", "<unk>"];
    private static readonly string[] BertSpecial = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>GPT-2's alphabet: a printable character for each byte, itself where it is printable, else the next free one from U+0100 on.</summary>
    public static IReadOnlyList<string> ByteAlphabet { get; } = MakeByteAlphabet();

    public static string[] Merges { get; } = ["Ġ t", "h e", "Ġt he", "i n", "in g", "t he"];

    /// <summary>Special tokens 0 to 3, the 256 bytes, one token per merge, then the mask.</summary>
    public static Dictionary<string, int> BytePairVocabulary() => ((string[])
        [.. RobertaSpecial, .. ByteAlphabet, .. Merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)), "<mask>"])
        .Select((token, id) => (token, id)).ToDictionary(entry => entry.token, entry => entry.id);

    public static TokenizerFile[] BytePairFiles(object? config = null, string? vocabulary = null, string? merges = null) =>
    [
        Text("vocab.json", vocabulary ?? JsonSerializer.Serialize(BytePairVocabulary())),
        Text("merges.txt", merges ?? "#version: 0.2\n" + string.Join('\n', Merges) + "\n"),
        Text("tokenizer_config.json", JsonSerializer.Serialize(config ?? new { })),
    ];

    public static TokenizerFile[] WordPieceFiles(object? config, params string[] words) =>
    [
        Text("vocab.txt", string.Join('\n', [.. BertSpecial, .. words]) + "\n"),
        Text("tokenizer_config.json", JsonSerializer.Serialize(config ?? new { })),
    ];

    /// <summary>A tokenizer.json for the same byte-level tokenizer; the test may change it before it is read.</summary>
    public static TokenizerFile BytePairJson(Action<JsonObject>? change = null)
    {
        var vocabulary = BytePairVocabulary();
        var root = new JsonObject
        {
            ["added_tokens"] = new JsonArray([.. ((string[])[.. RobertaSpecial, "<mask>"]).Select(token => (JsonNode)new JsonObject
            {
                ["id"] = vocabulary[token], ["content"] = token, ["special"] = true, ["lstrip"] = token == "<mask>", ["normalized"] = false,
            })]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false },
            ["post_processor"] = new JsonObject
            {
                ["type"] = "RobertaProcessing", ["sep"] = new JsonArray("</s>", 2), ["cls"] = new JsonArray("<s>", 0),
            },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["dropout"] = null, ["byte_fallback"] = false,
                ["vocab"] = JsonSerializer.SerializeToNode(vocabulary),
                ["merges"] = new JsonArray([.. Merges.Select(merge => (JsonNode)merge)]),
            },
        };
        change?.Invoke(root);
        return Text("tokenizer.json", root.ToJsonString());
    }

    public static TextTokenizer Read(params TokenizerFile[] files) => TextTokenizer.FromFiles(files, "tiny");

    public static TokenizerFile Text(string name, string content) => new(name, Encoding.UTF8.GetBytes(content));

    private static List<string> MakeByteAlphabet()
    {
        var alphabet = new List<string>();
        var next = 0x100;
        for (var value = 0; value < 256; value++)
            alphabet.Add(((char)(value is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ') ? value : next++)).ToString());
        return alphabet;
    }
}

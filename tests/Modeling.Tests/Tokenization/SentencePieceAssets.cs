using System.Text.Json.Nodes;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>The small trained models of Assets/sentencepiece, and what SentencePiece and Hugging Face's library say about one list of texts.</summary>
internal static class SentencePieceAssets
{
    public const string XlmRoberta = "xlm-roberta/sentencepiece.bpe.model";

    public static string[] Texts { get; } = [.. JsonNode.Parse(Read("texts.json"))!.AsArray().Select(text => (string)text!)];

    public static byte[] Read(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Assets", "sentencepiece", name));

    public static JsonNode Json(string name) => JsonNode.Parse(Read(name))!;

    public static int[] Ids(JsonNode ids) => [.. ids.AsArray().Select(id => (int)id!)];

    public static TokenizerFile AsFile(string name) => new(Path.GetFileName(name), Read(name));

    public static TokenizerFile Class(string name) => TinyTokenizer.Text("tokenizer_config.json", $$"""{"tokenizer_class": "{{name}}"}""");

    /// <summary>Special tokens are found in the text, which SentencePiece alone does not do.</summary>
    public static bool HasSpecialToken(string text) => text.Contains("<s>") || text.Contains("</s>") || text.Contains("<unk>") || text.Contains("<mask>");
}

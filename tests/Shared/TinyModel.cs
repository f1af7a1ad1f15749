using System.Text.Json;

namespace MLNetLoRA.Testing;

/// <summary>Writes the files of a tiny model: enough to train on in seconds, small enough to understand.</summary>
internal static class TinyModel
{
    /// <summary>Entries of <see cref="WriteTokenizer"/>'s vocabulary: four special tokens, 256 bytes, the mask.</summary>
    public const int VocabularySize = 261;

    /// <summary>A byte-level tokenizer without merges: one token a byte.</summary>
    public static void WriteTokenizer(string folder)
    {
        var vocabulary = new Dictionary<string, int> { ["<s>"] = 0, ["<pad>"] = 1, ["</s>"] = 2, ["<unk>"] = 3 };
        foreach (var symbol in ByteSymbols()) vocabulary.Add(symbol.ToString(), vocabulary.Count);
        vocabulary.Add("<mask>", vocabulary.Count);
        File.WriteAllText(Path.Combine(folder, "vocab.json"), JsonSerializer.Serialize(vocabulary));
        File.WriteAllText(Path.Combine(folder, "merges.txt"), "#version: 0.2\n");
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"tokenizer_class": "RobertaTokenizer", "model_max_length": 62}""");
    }

    /// <summary>config.json of a RoBERTa with two layers of width 32.</summary>
    public static string WriteConfig(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        File.WriteAllText(path, $$"""
            {"model_type": "roberta", "vocab_size": {{VocabularySize}}, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 64, "max_position_embeddings": 64, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "hidden_act": "gelu",
             "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 1}
            """);
        return path;
    }

    // GPT-2's printable stand-ins for the 256 bytes: printable Latin-1 characters stand for themselves, the others for U+0100 and up.
    private static IEnumerable<char> ByteSymbols()
    {
        var next = 256;
        for (var value = 0; value < 256; value++)
            yield return value is (>= '!' and <= '~') or (>= '\u00A1' and <= '\u00AC') or (>= '\u00AE' and <= '\u00FF') ? (char)value : (char)next++;
    }
}

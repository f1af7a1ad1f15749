using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Which tensors of a checkpoint are linear maps that pretraining gave, told by shape and by the names that models use.</summary>
/// <remarks>The choice follows arXiv 2410.21228: every linear layer but embeddings and heads.</remarks>
internal static partial class MatrixKeys
{
    private const string LanguageModelHead = "language-model head";
    private const string ClassificationHead = "classification head";
    private const string Weight = ".weight";

    private static readonly ScalarType[] Measurable = [ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16];

    // Hugging Face's spellings; the pooler is trained with the head that reads it.
    private static readonly string[] LanguageModelHeads =
        ["lm_head", "embed_out", "vocab_projector", "vocab_transform", "vocab_layer_norm", "generator_predictions", "generator_lm_head"];

    private static readonly string[] ClassificationHeads =
        ["classifier", "pre_classifier", "classification_head", "score", "qa_outputs", "pooler", "discriminator_predictions"];

    /// <summary>The name of a matrix: its key without ".weight".</summary>
    public static string NameOf(string key) => key.EndsWith(Weight, StringComparison.Ordinal) ? key[..^Weight.Length] : key;

    /// <summary>Why a tensor is not measured; null when it is.</summary>
    public static string? WhySkipped(SafetensorsEntry entry)
    {
        if (HeadOf(entry.Name) is { } head) return head;
        if (!Measurable.Contains(entry.DataType)) return $"holds {SafetensorsDataType.NameOf(entry.DataType)}, no floating-point numbers";
        if (entry.Shape.Count == 1) return "vector";
        if (entry.Shape.Count != 2) return $"{entry.ShapeText}, no matrix";
        if (entry.ElementCount == 0) return $"{entry.ShapeText}, empty";
        return IsEmbedding(entry.Name) ? "embedding" : null;
    }

    /// <summary>Whether one of two checkpoints of the same model may lack it: a head of another task, or a constant that some tools store.</summary>
    public static bool MayBeMissing(SafetensorsEntry entry) =>
        HeadOf(entry.Name) is not null || !Measurable.Contains(entry.DataType)
        || entry.Name.EndsWith(".inv_freq", StringComparison.Ordinal) || entry.Name.EndsWith("position_ids", StringComparison.Ordinal);

    private static string? HeadOf(string key)
    {
        var parts = NameOf(key).Split('.');
        // "cls" holds BERT's pretraining heads, and a lone "output" is how Llama's own files call the last projection.
        if (parts.Any(LanguageModelHeads.Contains) || parts[0] == "cls" || parts is ["output"]) return LanguageModelHead;
        return parts.Any(ClassificationHeads.Contains) ? ClassificationHead : null;
    }

    private static bool IsEmbedding(string key) => EmbeddingName().IsMatch(NameOf(key).Split('.')[^1]);

    [GeneratedRegex("^(wte|wpe|shared|embed|embed_(tokens|positions|in)|(.*_)?embeddings?|relative_attention_bias)$")]
    private static partial Regex EmbeddingName();
}

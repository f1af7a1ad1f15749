using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>The part of a model card that software reads: what its authors recommend for fine-tuning.</summary>
/// <remarks>Immutable. Kept as fine_tuning.json beside a checkpoint; a checkpoint without one gets <see cref="General"/>.</remarks>
public sealed record ModelCard
{
    internal const string FileName = "fine_tuning.json";

    /// <summary>Far above any use; the training options draw the same line.</summary>
    private const double LargestRate = 1000;

    /// <summary>What the paper's recipe says for encoders of RoBERTa-base's size: full 1e-5, and α · rate = 2.4e-3 for LoRA.</summary>
    public static ModelCard General { get; } = new();

    /// <summary>Recommended rate for full fine-tuning, per step.</summary>
    /// <value>Above 0, at most 1000; default 1e-5.</value>
    public double FullLearningRate { get; init; } = 1e-5;

    /// <summary>Recommended product of LoRA's alpha and learning rate.</summary>
    /// <value>Above 0, at most 1000; default 2.4e-3, so 1.5e-4 at alpha 16. A larger alpha makes each step of B count for more, hence the quotient.</value>
    public double LoraAlphaTimesLearningRate { get; init; } = 2.4e-3;

    /// <summary>The recommended rate for LoRA at this alpha.</summary>
    public double LoraLearningRate(double alpha) => LoraAlphaTimesLearningRate / alpha;

    /// <summary>Everything that is wrong with these recommendations, each as one phrase; empty when all is well.</summary>
    public IEnumerable<string> Faults()
    {
        foreach (var (name, rate) in new[] { ("full_learning_rate", FullLearningRate), ("lora_alpha_times_learning_rate", LoraAlphaTimesLearningRate) })
            if (rate is not (> 0 and <= LargestRate)) yield return $"{name} is {rate}, wanted above 0 and at most {LargestRate}";
    }

    internal static ModelCard FromFolder(string folder)
    {
        var path = Path.Combine(folder, FileName);
        return File.Exists(path) ? Parse(File.ReadAllBytes(path), path) : General;
    }

    internal static ModelCard Parse(ReadOnlySpan<byte> json, string source)
    {
        ModelCard? card;
        try
        {
            card = JsonSerializer.Deserialize<ModelCard>(json, Format);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{source}: not a fine-tuning card ({error.Message}). Mend or remove the file.", error);
        }
        string[] faults = card is null ? ["it is null"] : [.. card.Faults()];
        return faults.Length == 0 ? card! : throw new InvalidDataException($"{source}: {string.Join("; ", faults)}. Mend or remove the file.");
    }

    internal byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Format);

    private static readonly JsonSerializerOptions Format = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };
}

using System.Text;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Writes checkpoint folders in Hugging Face's layout.</summary>
public static class CheckpointFolder
{
    /// <summary>Writes config.json, model.safetensors, the tokenizer's files, and fine_tuning.json when there is a card worth keeping.</summary>
    /// <remarks>
    /// Everything is written beside its place first: when that fails, an older model is as it was. A folder that is written over never opens
    /// as a mixture of two models: old weights, tokenizer and card go first and the new weights come last, so that what was cut off in between
    /// is a folder without weights, and opening it says so. Old shards stay, but nothing refers to them any more.
    /// </remarks>
    /// <param name="folder">Created when missing; a model in it is replaced.</param>
    /// <param name="config">The architecture.</param>
    /// <param name="tokenizer">Its files are written as they were read.</param>
    /// <param name="weights">Parameters by checkpoint key.</param>
    /// <param name="dataType">What the weights are stored as: float32, bfloat16 or float16.</param>
    /// <param name="architecture">The class that Hugging Face opens it with, for example "RobertaForMaskedLM".</param>
    /// <param name="card">Recommendations for fine-tuning; null or <see cref="ModelCard.General"/> needs no file.</param>
    /// <exception cref="ArgumentException">The card recommends a rate out of range.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder or a file must not be written.</exception>
    /// <exception cref="IOException">The folder or a file cannot be written.</exception>
    public static void Write(
        string folder, EncoderConfig config, TextTokenizer tokenizer, IReadOnlyDictionary<string, Tensor> weights, ScalarType dataType, string architecture,
        ModelCard? card = null)
    {
        var files = SmallFiles(config, tokenizer, architecture, card);
        AtomicFolder.Write(folder, [Checkpoint.FileName, ShardIndex.FileName, .. TokenizerFileSet.KnownNames, ModelCard.FileName], stage =>
        {
            foreach (var (name, content) in files)
                AtomicFile.Write(Path.Combine(stage, name), stream => stream.Write(content.Span));
            WriteWeights(Path.Combine(stage, Checkpoint.FileName), weights, dataType);
        });
    }

    private static void WriteWeights(string path, IReadOnlyDictionary<string, Tensor> weights, ScalarType dataType)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        SafetensorsWriter.Write(
            path,
            [.. weights.Select(weight => KeyValuePair.Create(weight.Key, weight.Value.to(dataType)))],
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> SmallFiles(
        EncoderConfig config, TextTokenizer tokenizer, string architecture, ModelCard? card)
    {
        var files = tokenizer.Files.ToDictionary(file => file.Name, file => file.Content);
        files.Add("config.json", Encoding.UTF8.GetBytes(config.ToJson([architecture])));
        if (card is not null && card != ModelCard.General)
        {
            if (card.Faults().ToList() is { Count: > 0 } faults)
                throw new ArgumentException($"The card cannot be kept: {string.Join("; ", faults)}.", nameof(card));
            files.Add(ModelCard.FileName, card.ToJson());
        }
        return files;
    }
}

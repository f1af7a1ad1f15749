using MLNetLoRA.Evaluation;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>Forgetting of fine-tuned checkpoints and adapters, without ML.NET.</summary>
/// <remarks>
/// Loss of the base on retention text before and after fine-tuning: the same windows, hidden tokens and batches, each token hidden alone
/// (arXiv 1910.14659), read with the base's language-model head. Source of the measure: arXiv 2410.21228, section 5. Thread-safe.
/// </remarks>
public static class ForgettingEvaluation
{
    internal const string Component = "EvaluateForgetting";

    /// <summary>Measures what a fine-tuned checkpoint, by any tool, forgot.</summary>
    /// <param name="baseModel">What it was fine-tuned from, with its masked-language-model head.</param>
    /// <param name="tunedPath">A checkpoint folder of the same model or a .safetensors file; heads in it are not read.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">A setting, a corpus or a weight is wrong.</exception>
    /// <exception cref="DirectoryNotFoundException">There is nothing at the path.</exception>
    /// <exception cref="InvalidDataException">The base has no language-model head, a file is damaged, or the two do not share shapes or tokenizer.</exception>
    public static ForgettingReport OfCheckpoint(
        PretrainedModel baseModel, string tunedPath, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions? options = null) =>
        Of(baseModel, device => LanguageModelState.OfCheckpoint(baseModel, tunedPath, device), corpora, options);

    /// <summary>Measures what a LoRA adapter in PEFT's files makes its base forget.</summary>
    /// <param name="baseModel">The adapter's base, with its masked-language-model head.</param>
    /// <param name="adapterFolder">PEFT's files; a classification head in them is not read.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">A setting, a corpus or a weight is wrong.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">The base has no language-model head, a file is damaged, or the adapter is of another base.</exception>
    public static ForgettingReport OfAdapter(
        PretrainedModel baseModel, string adapterFolder, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions? options = null) =>
        Of(baseModel, device => LanguageModelState.OfAdapter(baseModel, adapterFolder, device), corpora, options);

    /// <summary>Checks what was asked and measures the base and one state.</summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="open">Gives the state after fine-tuning.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <param name="device">Where to compute when the options do not say; null for a free choice.</param>
    internal static ForgettingReport Of(
        PretrainedModel baseModel, Func<Device, LanguageModelState> open, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions? options, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(baseModel);
        ArgumentNullException.ThrowIfNull(corpora);
        options ??= new ForgettingOptions();
        OptionFaults.ThrowIfAny(Component, options.Faults(baseModel, corpora.Count));
        var chosen = options.Device is null && device is not null ? device : ComputeDevice.Choose(options.Device, null, fallBackToCpu: true, log: _ => { });
        // Opened first: what does not belong to the base is refused before anything is measured.
        using var state = open(chosen);
        return new RetentionMeasurement(baseModel, corpora, options, chosen, stateCount: 1).Measure(state);
    }
}

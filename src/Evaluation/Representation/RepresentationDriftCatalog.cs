using System.Diagnostics;
using Microsoft.ML;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>How far fine-tuning moved what a model makes of text, beside ML.NET's other model operations.</summary>
public static class RepresentationDriftCatalog
{
    private const string Component = "EvaluateRepresentationDrift";

    /// <summary>Compares the hidden states of the base and of the fine-tuned model on the same texts, by linear centred kernel alignment in each layer.</summary>
    /// <remarks>
    /// Needs no labels and no language-model head. Source of the measure: arXiv 1905.00414. Everything is added up in float64, in memory that does
    /// not grow with the number of texts.
    /// </remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; as its last rescaling left it.</param>
    /// <param name="texts">Texts that show what is to be kept; empty ones are left out.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; a setting is out of range; fewer than two hidden states are
    /// left to compare; or the base given is another.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static RepresentationDriftReport EvaluateRepresentationDrift(
        this ModelOperationsCatalog catalog, ITransformer model, IEnumerable<string> texts, RepresentationDriftOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(texts);
        options ??= new RepresentationDriftOptions();
        OptionFaults.ThrowIfAny(Component, options.Faults());
        var clock = Stopwatch.StartNew();
        using var evaluated = EvaluatedModel.Find(model, options.ScoreColumnName, options.BaseModel);
        OptionFaults.ThrowIfAny(Component, options.Faults(evaluated.Base));

        using var before = FrozenTrunk.Of(evaluated.Base, evaluated.Classifier.Device);
        using var after = FrozenTrunk.Of(evaluated.Classifier);
        using var drift = new LayerAlignments(before, after, options.States);
        var maxTokens = options.MaxTokens ?? evaluated.Classifier.Description.MaxTokens;
        var count = 0;
        foreach (var batch in texts.Where(text => !string.IsNullOrWhiteSpace(text)).Chunk(options.BatchSize))
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            drift.Add([.. batch.Select(text => evaluated.Base.Tokenizer.Encode(text, null, maxTokens))]);
            count += batch.Length;
        }
        if (drift.Examples < 2)
            throw new ArgumentException(
                $"{Component}: the {count} texts give {drift.Examples} hidden states to compare; give two or more (hundreds, for numbers worth reading).");
        return new RepresentationDriftReport
        {
            BaseName = evaluated.Base.Name,
            Method = evaluated.Method,
            States = options.States,
            Alignments = drift.Values(),
            Examples = drift.Examples,
            Width = evaluated.Base.Config.HiddenSize,
            Texts = count,
            Seconds = clock.Elapsed.TotalSeconds,
        };
    }
}

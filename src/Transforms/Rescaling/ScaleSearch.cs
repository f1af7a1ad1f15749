using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>Chooses λ by accuracy on validation rows: one network over the same weights for each value, with other factors.</summary>
internal sealed class ScaleSearch
{
    private readonly EncodedRows _rows;
    private readonly int _batchSize;
    private readonly Action _checkCancelled;

    /// <summary>Reads the rows once.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type, a label is none of the model's classes, or no row has one.</exception>
    public ScaleSearch(IFineTunedModel model, ClassifierDescription description, IDataView validation, string labelColumnName, Action checkCancelled)
    {
        var reader = new RowReader(model.Columns, labelColumnName, description.Base.Tokenizer, description.MaxTokens, checkCancelled);
        _rows = reader.Read(validation, model.Labels, nameof(IntruderOptions.ValidationSet)).Rows;
        if (_rows.Count == 0) throw new ArgumentException("ValidationSet has no labelled rows; give some, or set Scale instead.");
        (_batchSize, _checkCancelled) = (model.Settings.BatchSize, checkCancelled);
    }

    /// <summary>The smallest λ within the tolerance, and what each one gave.</summary>
    /// <param name="classifier">The model at λ = 1.</param>
    /// <param name="spectra">Its spectra.</param>
    /// <param name="options">The grid, the tolerance, and what is rescaled.</param>
    /// <returns>Trials in ascending order; 1 is among them.</returns>
    public (double Scale, IReadOnlyList<ScaleTrial> Trials) Choose(TextClassifier classifier, ModelSpectra spectra, IntruderOptions options)
    {
        var trials = options.ScaleGrid.Append(1).Distinct().Order().Select(scale => new ScaleTrial(scale, Accuracy(classifier, spectra, options, scale))).ToList();
        var wanted = trials.Single(trial => trial.Scale == 1).Accuracy - options.AccuracyTolerance;
        return (trials.First(trial => trial.Accuracy >= wanted).Scale, trials);
    }

    private double Accuracy(TextClassifier classifier, ModelSpectra spectra, IntruderOptions options, double scale)
    {
        using var corrections = new ModelCorrections(spectra.Rescale(options.Rescaling(scale), options.Rank).Corrections, modelFingerprint: "");
        if (corrections.Factors.Count == 0) return Accuracy(classifier);
        using var rescaled = classifier.WithCorrections(corrections.Factors);
        return Accuracy(rescaled);
    }

    private double Accuracy(TextClassifier classifier)
    {
        var classes = classifier.Description.ClassCount;
        var counts = new ClassificationCounts(classes);
        foreach (var rows in Enumerable.Range(0, _rows.Count).Chunk(_batchSize))
        {
            _checkCancelled();
            var logits = classifier.Score([.. rows.Select(row => _rows.Texts[row])]);
            for (var r = 0; r < rows.Length; r++) counts.Add(logits.AsSpan(r * classes, classes), _rows.Classes[rows[r]]);
        }
        return counts.Outcome().Accuracy!.Value;
    }
}

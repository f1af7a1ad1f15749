using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>Labelled rows, read once, that tell how well repaired forms of one model still do their task.</summary>
internal sealed class ValidationRows
{
    private readonly EncodedRows _rows;
    private readonly int _batchSize;
    private readonly Action _checkCancelled;

    /// <summary>Reads the rows.</summary>
    /// <param name="model">The model: it says which columns are read.</param>
    /// <param name="description">Of its classifier.</param>
    /// <param name="validation">The rows.</param>
    /// <param name="labelColumnName">Their label.</param>
    /// <param name="instead">The option that makes them needless, for the message.</param>
    /// <param name="checkCancelled">Called before each row and batch; may throw.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, a label is none of the model's classes, or no row has one.</exception>
    public ValidationRows(
        IFineTunedModel model, ClassifierDescription description, IDataView validation, string labelColumnName, string instead, Action checkCancelled)
    {
        var reader = new RowReader(model.Columns, labelColumnName, description.Base.Tokenizer, description.MaxTokens, checkCancelled);
        _rows = reader.Read(validation, model.Labels, "ValidationSet").Rows;
        if (_rows.Count == 0) throw new ArgumentException($"ValidationSet has no labelled rows; give some, or set {instead} instead.");
        (_batchSize, _checkCancelled) = (model.Settings.BatchSize, checkCancelled);
    }

    /// <summary>The share of rows that the repaired model names rightly.</summary>
    public double Accuracy(TextClassifier classifier, ModelCorrections corrections)
    {
        if (corrections.IsEmpty) return Accuracy(classifier);
        using var repaired = corrections.Over(classifier);
        return Accuracy(repaired);
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

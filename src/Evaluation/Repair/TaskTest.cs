using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Evaluation;

/// <summary>Labelled rows, read once, on which any state of a classifier is tested.</summary>
internal sealed class TaskTest
{
    private readonly EncodedRows _rows;
    private readonly int _batchSize;
    private readonly CancellationToken _cancellation;

    /// <summary>Reads the rows.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type, a label is none of the model's classes, or no row has one.</exception>
    public TaskTest(IFineTunedModel model, ClassifierDescription description, IDataView data, string labelColumnName, CancellationToken cancellation)
    {
        const string Role = nameof(RepairCurveOptions.TestSet);
        OptionFaults.ThrowIfAny(Role, new ColumnCheck(Role, data.Schema).RequireAnyLabel(labelColumnName).Require(model.Columns).Faults);
        var reader = new RowReader(model.Columns, labelColumnName, description.Base.Tokenizer, description.MaxTokens, cancellation.ThrowIfCancellationRequested);
        _rows = reader.Read(data, model.Labels, Role).Rows;
        if (_rows.Count == 0) throw new ArgumentException($"{Role} has no labelled rows; give some, or leave it out.");
        (_batchSize, _cancellation) = (model.Settings.BatchSize, cancellation);
    }

    /// <summary>Accuracy and log-loss of one state.</summary>
    public TaskMetric Of(TextClassifier classifier)
    {
        var classes = classifier.Description.ClassCount;
        var counts = new ClassificationCounts(classes);
        foreach (var rows in Enumerable.Range(0, _rows.Count).Chunk(_batchSize))
        {
            _cancellation.ThrowIfCancellationRequested();
            var logits = classifier.Score([.. rows.Select(row => _rows.Texts[row])]);
            for (var r = 0; r < rows.Length; r++) counts.Add(logits.AsSpan(r * classes, classes), _rows.Classes[rows[r]]);
        }
        var outcome = counts.Outcome();
        return new TaskMetric(outcome.Accuracy!.Value, outcome.Loss);
    }
}

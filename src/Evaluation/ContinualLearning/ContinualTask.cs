using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>One task in a row of them: a name and its rows.</summary>
/// <remarks>Immutable as long as the data views are.</remarks>
/// <param name="Name">What reports call it; no two tasks of a run have the same.</param>
/// <param name="TrainingSet">Rows to learn from, of two classes or more.</param>
/// <param name="TestSet">Rows that judge every stage; labels are matched to the training rows' by value.</param>
public sealed record ContinualTask(string Name, IDataView TrainingSet, IDataView TestSet)
{
    /// <summary>The column with the class of each row.</summary>
    /// <value>A key, or values of any type; default "Label".</value>
    public string LabelColumnName { get; init; } = OptionDefaults.Label;

    /// <summary>The column with the text, or with the first text of a pair.</summary>
    /// <value>A text column; default "Sentence1".</value>
    public string Sentence1ColumnName { get; init; } = OptionDefaults.Sentence1;

    /// <summary>The column with the second text of a pair.</summary>
    /// <value>A text column, or null (default) for single texts.</value>
    public string? Sentence2ColumnName { get; init; }

    /// <summary>Rows that judge each epoch of this task's training.</summary>
    /// <value>Null, the default, for none.</value>
    public IDataView? ValidationSet { get; init; }

    internal IEnumerable<string> Faults()
    {
        if (string.IsNullOrWhiteSpace(Name)) yield return "A task has no name; give each one.";
        if (TrainingSet is null || TestSet is null) yield return $"Task '{Name}' lacks {(TrainingSet is null ? nameof(TrainingSet) : nameof(TestSet))}.";
        foreach (var (option, name) in new[] { (nameof(LabelColumnName), LabelColumnName), (nameof(Sentence1ColumnName), Sentence1ColumnName) })
            if (string.IsNullOrWhiteSpace(name)) yield return $"Task '{Name}': {option} is empty; name a column.";
        if (Sentence2ColumnName is { } second && string.IsNullOrWhiteSpace(second))
            yield return $"Task '{Name}': {nameof(Sentence2ColumnName)} is empty; name a column, or use null for single texts.";
    }
}

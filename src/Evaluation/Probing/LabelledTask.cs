using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Evaluation;

/// <summary>A classification task as a trunk reads it: rows to learn from, rows to be judged by.</summary>
/// <param name="Labels">The classes, those of the training rows' column.</param>
/// <param name="Training">At least one row of each of two classes.</param>
/// <param name="Test">At least one row.</param>
/// <param name="KeyedTraining">The training rows with the label as a key, for a trainer.</param>
internal sealed record LabelledTask(LabelValues Labels, EncodedRows Training, EncodedRows Test, IDataView KeyedTraining)
{
    /// <summary>The names of the classes.</summary>
    public IReadOnlyList<string> ClassNames => [.. Enumerable.Range(0, Labels.Count).Select(Labels.Name)];

    /// <summary>Reads both sets of rows once. Labels may be keys or plain values; those of the test rows are matched by value.</summary>
    /// <param name="role">What messages call the task.</param>
    /// <param name="columns">The text columns.</param>
    /// <param name="labelColumnName">The label's column.</param>
    /// <param name="training">Rows to learn from.</param>
    /// <param name="test">Rows to be judged by.</param>
    /// <param name="tokenizer">Of the trunk.</param>
    /// <param name="maxTokens">Longer rows are cut to this.</param>
    /// <param name="checkCancelled">Called for each row.</param>
    /// <exception cref="ArgumentException">A column is missing, there are no rows, or only one class; the message begins with the role.</exception>
    public static LabelledTask Read(
        string role, TextColumns columns, string labelColumnName, IDataView training, IDataView test, TextTokenizer tokenizer, int maxTokens,
        Action checkCancelled)
    {
        var (trainingRole, testRole) = ($"{role}, training rows", $"{role}, test rows");
        var faults = Faults(columns, labelColumnName, training, trainingRole).Concat(Faults(columns, labelColumnName, test, testRole)).ToList();
        if (faults.Count > 0) throw new ArgumentException(string.Join(Environment.NewLine, faults));

        var keyed = Keyed(training, labelColumnName, trainingRole);
        var labels = LabelValues.From(keyed.Schema[labelColumnName]);
        var reader = new RowReader(columns, labelColumnName, tokenizer, maxTokens, checkCancelled);
        var learned = CheckRows(reader.Read(keyed, labels, trainingRole), trainingRole);
        var seen = learned.Classes.Distinct().Take(2).ToArray();
        if (seen.Length < 2)
            throw new ArgumentException(
                $"{trainingRole}: all {learned.Count} are of class '{labels.Name(seen[0])}'; classification needs rows of two or more classes.");
        return new LabelledTask(labels, learned, CheckRows(reader.Read(test, labels, testRole), testRole), keyed);
    }

    private static IEnumerable<string> Faults(TextColumns columns, string label, IDataView data, string role) =>
        new ColumnCheck(columns.Component, data.Schema).RequireAnyLabel(label).Require(columns).Faults.Select(fault => $"{role}: {fault}");

    private static IDataView Keyed(IDataView data, string label, string role)
    {
        if (data.Schema[label].Type is KeyDataViewType) return data;
        if (data.Schema[label].Type is VectorDataViewType vector)
            throw new ArgumentException($"{role}: column '{label}' holds {ColumnCheck.Describe(vector)}; a label is one value a row.");
        return new MLContext().Transforms.Conversion.MapValueToKey(label).Fit(data).Transform(data);
    }

    private static EncodedRows CheckRows(LabelledRows read, string role)
    {
        if (read.Rows.Count > 0) return read.Rows;
        throw new ArgumentException(read.Unlabelled == 0
            ? $"{role}: there are none; give at least one row of each of two classes to train on, and one to test."
            : $"{role}: none of the {read.Unlabelled} rows has a label.");
    }
}

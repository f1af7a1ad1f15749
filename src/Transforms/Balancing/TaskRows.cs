using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>Reads the texts of a fine-tuned model's rows, whatever their labels.</summary>
internal static class TaskRows
{
    /// <summary>Every row that has text, as the model reads it.</summary>
    /// <param name="input">Holds the model's text columns.</param>
    /// <param name="columns">Their names.</param>
    /// <param name="description">Gives tokenizer and length.</param>
    /// <param name="component">The component, for the message.</param>
    /// <param name="checkCancelled">Called before each row; may throw.</param>
    /// <exception cref="ArgumentException">No row has text.</exception>
    public static List<EncodedText> Read(IDataView input, TextColumns columns, ClassifierDescription description, string component, Action checkCancelled)
    {
        var first = input.Schema[columns.Sentence1];
        DataViewSchema.Column? second = columns.Sentence2 is null ? null : input.Schema[columns.Sentence2];
        var rows = new List<EncodedText>();
        using var cursor = input.GetRowCursor(second is { } other ? [first, other] : [first]);
        var reader = new TextRowReader(cursor, first, second);
        while (cursor.MoveNext())
        {
            checkCancelled();
            var row = reader.Read();
            if (string.IsNullOrWhiteSpace(row.First) && string.IsNullOrWhiteSpace(row.Second)) continue;
            rows.Add(description.Base.Tokenizer.Encode(row.First, row.Second, description.MaxTokens));
        }
        return rows.Count > 0 ? rows : throw new ArgumentException(
            $"The input has no rows with text in '{columns.Sentence1}'; {component} learns from the task's rows what must stay as it is. Give it the training data.",
            nameof(input));
    }
}

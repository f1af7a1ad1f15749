using Microsoft.ML;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>Reads labelled text rows once and keeps them as token ids.</summary>
internal sealed class RowReader(TextColumns columns, string labelColumnName, TextTokenizer tokenizer, int maxTokens, Action checkCancelled)
{
    /// <summary>Every row with a label; rows without one are counted and left out.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a row's label is none of <paramref name="labels"/>.</exception>
    public LabelledRows Read(IDataView data, LabelValues labels, string role)
    {
        var label = data.Schema[labelColumnName];
        var mapping = labels.MapFrom(label);
        var needed = data.Schema.Where(column => column.Index == label.Index || column.Name == columns.Sentence1 || column.Name == columns.Sentence2);

        var texts = new List<EncodedText>();
        var classes = new List<int>();
        var emptyRows = new HashSet<int>();
        using (var cursor = data.GetRowCursor(needed.Where(column => !column.IsHidden)))
        {
            var getKey = mapping.CreateGetter(cursor);
            var reader = new TextRowReader(cursor, data.Schema[columns.Sentence1], columns.Sentence2 is null ? null : data.Schema[columns.Sentence2]);
            uint key = 0;
            while (cursor.MoveNext())
            {
                checkCancelled();
                getKey(ref key);
                if (key == 0) continue;
                var row = reader.Read();
                if (string.IsNullOrWhiteSpace(row.First) && string.IsNullOrWhiteSpace(row.Second)) emptyRows.Add(texts.Count);
                texts.Add(tokenizer.Encode(row.First, row.Second, maxTokens));
                classes.Add((int)key - 1);
            }
        }

        if (mapping.UnseenRows > 0)
            throw new ArgumentException(
                $"{role}: {mapping.UnseenRows} rows have a label that training does not know ({string.Join(", ", mapping.UnseenValues.Select(value => $"'{value}'"))}). "
                + "Remove these rows, or fit MapValueToKey on data that has every class.");
        return new LabelledRows(new EncodedRows(texts, classes, emptyRows), (int)mapping.MissingRows);
    }
}

/// <summary>What was read of one data view.</summary>
/// <param name="Rows">The rows with a label.</param>
/// <param name="Unlabelled">How many rows were left out because their label is missing.</param>
internal sealed record LabelledRows(EncodedRows Rows, int Unlabelled);

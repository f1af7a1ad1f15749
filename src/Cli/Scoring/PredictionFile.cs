using System.Globalization;
using System.Reflection;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Cli.Output;

namespace MLNetLoRA.Cli.Scoring;

/// <summary>Writes predictions as a table: Row, PredictedLabel, Score (the highest), and Score.CLASS for each class.</summary>
/// <remarks>
/// Numbers are written so that reading them gives the same float32. A TSV has no quoting: a tab or line break in a class name becomes a blank.
/// </remarks>
internal static class PredictionFile
{
    private const string SlotNames = "SlotNames";
    private const string TrainingLabelValues = "TrainingLabelValues";

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public static void Write(
        Stream stream, string path, IDataView predictions, int rowCount, WorkProgress progress, CancellationToken cancellation)
    {
        var isCsv = Path.GetExtension(path).Equals(".csv", StringComparison.OrdinalIgnoreCase);
        using var writer = new StreamWriter(stream, Utf8, leaveOpen: true) { NewLine = "\n" };
        var predictedColumn = predictions.Schema[SavedModel.PredictedLabelColumn];
        var scoreColumn = predictions.Schema[SavedModel.ScoreColumn];
        var classes = ClassNames(scoreColumn).Select(name => $"{SavedModel.ScoreColumn}.{name}");
        WriteRow(["Row", SavedModel.PredictedLabelColumn, SavedModel.ScoreColumn, .. classes]);

        using var cursor = predictions.GetRowCursor([predictedColumn, scoreColumn]);
        var getLabel = cursor.GetGetter<ReadOnlyMemory<char>>(predictedColumn);
        var getScores = cursor.GetGetter<VBuffer<float>>(scoreColumn);
        ReadOnlyMemory<char> label = default;
        VBuffer<float> buffer = default;
        while (cursor.MoveNext())
        {
            cancellation.ThrowIfCancellationRequested();
            getLabel(ref label);
            getScores(ref buffer);
            var scores = buffer.DenseValues().ToArray();
            var row = cursor.Position + 1;
            WriteRow([row.ToString(CultureInfo.InvariantCulture), label.ToString(), Spell(scores.Max()), .. scores.Select(Spell)]);
            progress.Advance(row, rowCount);
        }

        void WriteRow(IEnumerable<string> fields) =>
            writer.WriteLine(isCsv ? string.Join(',', fields.Select(Quote)) : string.Join('\t', fields.Select(WithoutBreaks)));
    }

    private static IEnumerable<string> ClassNames(DataViewSchema.Column score)
    {
        var annotations = score.Annotations.Schema;
        // Slot names are there for text labels; numbers and dates are found among the label values alone.
        var values = annotations.GetColumnOrNull(SlotNames) ?? annotations.GetColumnOrNull(TrainingLabelValues);
        if (values is not { Type: VectorDataViewType vector })
            return Enumerable.Range(0, ((VectorDataViewType)score.Type).Size).Select(c => c.ToString(CultureInfo.InvariantCulture));
        return (IEnumerable<string>)typeof(PredictionFile).GetMethod(nameof(Spelled), BindingFlags.Static | BindingFlags.NonPublic)!
            .MakeGenericMethod(vector.ItemType.RawType).Invoke(null, [score.Annotations, values.Value.Name])!;
    }

    private static string[] Spelled<T>(DataViewSchema.Annotations annotations, string name)
    {
        VBuffer<T> values = default;
        annotations.GetValue(name, ref values);
        return [.. values.DenseValues().Select(value => string.Format(CultureInfo.InvariantCulture, "{0}", value))];
    }

    private static string Spell(float number) => number.ToString("R", CultureInfo.InvariantCulture);

    private static string Quote(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string WithoutBreaks(string field) => field.Replace('\t', ' ').Replace('\r', ' ').Replace('\n', ' ');
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>One classifier bound to one input schema: which columns it reads, and the schema it puts out.</summary>
/// <remarks>
/// The output is the input followed by PredictedLabel (a key over the training labels) and Score (one number per class), annotated
/// as ML.NET's own multiclass scorers annotate them; Evaluate, CrossValidate and MapKeyToValue read those annotations.
/// </remarks>
internal sealed class TextScoringBindings
{
    /// <param name="host">Throws for the component.</param>
    /// <param name="columns">Names of the columns read and written.</param>
    /// <param name="labels">The classes.</param>
    /// <param name="input">Schema of the rows to score.</param>
    /// <param name="annotateScore">Adds further annotations to the Score column; null adds none.</param>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public TextScoringBindings(IExceptionContext host, TextColumns columns, LabelValues labels, DataViewSchema input,
        Action<DataViewSchema.Annotations.Builder>? annotateScore = null)
    {
        new ColumnCheck(columns.Component, input).Require(columns).ThrowIfFaulty(host, nameof(input));

        InputSchema = input;
        Sentence1 = input[columns.Sentence1];
        Sentence2 = columns.Sentence2 is null ? null : input[columns.Sentence2];
        OutputSchema = AppendScored(input, columns, labels, annotateScore);
    }

    public DataViewSchema InputSchema { get; }

    /// <summary>The input's columns at their own indices, then PredictedLabel, then Score.</summary>
    public DataViewSchema OutputSchema { get; }

    public DataViewSchema.Column Sentence1 { get; }

    public DataViewSchema.Column? Sentence2 { get; }

    public int PredictedLabelIndex => InputSchema.Count;

    public int ScoreIndex => InputSchema.Count + 1;

    /// <summary>Whether a column of <see cref="OutputSchema"/> is computed here rather than passed on.</summary>
    public bool IsScored(int index) => index >= InputSchema.Count;

    /// <summary>The input columns needed to produce <paramref name="outputs"/>, in schema order.</summary>
    public IEnumerable<DataViewSchema.Column> DependenciesOf(IEnumerable<DataViewSchema.Column> outputs)
    {
        var needed = new bool[InputSchema.Count];
        foreach (var column in outputs)
        {
            if (!IsScored(column.Index))
            {
                needed[column.Index] = true;
                continue;
            }
            needed[Sentence1.Index] = true;
            if (Sentence2 is { } second) needed[second.Index] = true;
        }
        return InputSchema.Where(c => needed[c.Index]);
    }

    private static DataViewSchema AppendScored(DataViewSchema input, TextColumns columns, LabelValues labels,
        Action<DataViewSchema.Annotations.Builder>? annotateScore)
    {
        // Score columns of one scorer share an id, one above any already present, so that evaluators can tell sets apart.
        var set = input.GetMaxAnnotationKind(out _, AnnotationUtils.Kinds.ScoreColumnSetId) + 1;

        var predictedLabel = new DataViewSchema.Annotations.Builder();
        labels.Annotate(predictedLabel, AnnotationUtils.Kinds.KeyValues);
        AnnotateSet(predictedLabel, set, AnnotationUtils.Const.ScoreValueKind.PredictedLabel);

        var score = new DataViewSchema.Annotations.Builder();
        if (labels.ValueType is TextDataViewType) labels.Annotate(score, AnnotationUtils.Kinds.SlotNames);
        labels.Annotate(score, AnnotationUtils.Kinds.TrainingLabelValues);
        AnnotateSet(score, set, AnnotationUtils.Const.ScoreValueKind.Score);
        annotateScore?.Invoke(score);

        var schema = new DataViewSchema.Builder();
        schema.AddColumns(input);
        schema.AddColumn(columns.PredictedLabel, new KeyDataViewType(typeof(uint), labels.Count), predictedLabel.ToAnnotations());
        schema.AddColumn(columns.Score, new VectorDataViewType(NumberDataViewType.Single, labels.Count), score.ToAnnotations());
        return schema.ToSchema();
    }

    private static void AnnotateSet(DataViewSchema.Annotations.Builder annotations, uint set, string valueKind)
    {
        annotations.Add(AnnotationUtils.Kinds.ScoreColumnSetId, AnnotationUtils.ScoreColumnSetIdType, (ref uint value) => value = set);
        AddText(AnnotationUtils.Kinds.ScoreColumnKind, AnnotationUtils.Const.ScoreColumnKind.MulticlassClassification);
        AddText(AnnotationUtils.Kinds.ScoreValueKind, valueKind);

        void AddText(string kind, string text) =>
            annotations.Add(kind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> value) => value = text.AsMemory());
    }
}

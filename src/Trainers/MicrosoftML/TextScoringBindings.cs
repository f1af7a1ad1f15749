using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>One text model bound to one input schema: which columns it reads, and the schema it puts out.</summary>
/// <remarks>
/// The output is the input followed by the computed columns. A classifier's are PredictedLabel (a key over the training labels) and Score
/// (one number per class), annotated as ML.NET's own multiclass scorers annotate them; Evaluate, CrossValidate and MapKeyToValue read those
/// annotations.
/// </remarks>
internal sealed class TextScoringBindings
{
    private readonly IReadOnlyList<ScoredColumn> _scored;

    /// <summary>A classifier's bindings.</summary>
    /// <param name="host">Throws for the component.</param>
    /// <param name="columns">Names of the columns read and written.</param>
    /// <param name="labels">The classes.</param>
    /// <param name="input">Schema of the rows to score.</param>
    /// <param name="annotateScore">Adds further annotations to the Score column, given the input; null adds none.</param>
    /// <param name="predictsValues">Whether PredictedLabel holds the classes' values, as MapKeyToValue makes them, rather than keys.</param>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public TextScoringBindings(IExceptionContext host, TextColumns columns, LabelValues labels, DataViewSchema input,
        Action<DataViewSchema.Annotations.Builder, DataViewSchema>? annotateScore = null, bool predictsValues = false)
        : this(host, new ColumnCheck(columns.Component, input).Require(columns), columns.Sentence1, columns.Sentence2, input,
            () => ClassifierColumns(input, columns, labels, annotateScore, predictsValues))
    {
    }

    /// <summary>The bindings of a model that reads one text and computes any columns.</summary>
    /// <param name="host">Throws for the component.</param>
    /// <param name="component">The component as the user typed it.</param>
    /// <param name="sentence">Name of the text column.</param>
    /// <param name="scored">The columns computed.</param>
    /// <param name="input">Schema of the rows to score.</param>
    /// <exception cref="ArgumentException">The text column is missing or holds something else.</exception>
    public TextScoringBindings(IExceptionContext host, string component, string sentence, IReadOnlyList<ScoredColumn> scored, DataViewSchema input)
        : this(host, new ColumnCheck(component, input).RequireText(sentence, "Sentence1ColumnName"), sentence, null, input, () => scored)
    {
    }

    private TextScoringBindings(
        IExceptionContext host, ColumnCheck check, string sentence1, string? sentence2, DataViewSchema input, Func<IReadOnlyList<ScoredColumn>> scored)
    {
        check.ThrowIfFaulty(host, nameof(input));
        InputSchema = input;
        Sentence1 = input[sentence1];
        Sentence2 = sentence2 is null ? null : input[sentence2];
        _scored = scored();

        var schema = new DataViewSchema.Builder();
        schema.AddColumns(input);
        foreach (var column in _scored) schema.AddColumn(column.Name, column.Type, column.Annotations);
        OutputSchema = schema.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    /// <summary>The input's columns at their own indices, then the computed ones: for a classifier PredictedLabel, then Score.</summary>
    public DataViewSchema OutputSchema { get; }

    public DataViewSchema.Column Sentence1 { get; }

    public DataViewSchema.Column? Sentence2 { get; }

    public int PredictedLabelIndex => InputSchema.Count;

    public int ScoreIndex => InputSchema.Count + 1;

    /// <summary>Whether a column of <see cref="OutputSchema"/> is computed here rather than passed on.</summary>
    public bool IsScored(int index) => index >= InputSchema.Count;

    /// <summary>Whether any of the active columns is computed here.</summary>
    public bool AsksForScores(bool[] active) => active.AsSpan(InputSchema.Count).Contains(true);

    /// <summary>The getter of a computed column.</summary>
    /// <param name="index">Its index in the output schema.</param>
    /// <param name="scores">Scores of the current row.</param>
    public Delegate CreateGetter(int index, CurrentScores scores) => _scored[index - InputSchema.Count].CreateGetter(scores);

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

    private static ScoredColumn[] ClassifierColumns(DataViewSchema input, TextColumns columns, LabelValues labels,
        Action<DataViewSchema.Annotations.Builder, DataViewSchema>? annotateScore, bool predictsValues)
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
        annotateScore?.Invoke(score, input);

        return
        [
            predictsValues
                ? new(columns.PredictedLabel, labels.ValueType!, null, scores => ScoreGetters.HighestValue(scores, labels))
                : new(columns.PredictedLabel, new KeyDataViewType(typeof(uint), labels.Count), predictedLabel.ToAnnotations(), ScoreGetters.Highest),
            new(columns.Score, new VectorDataViewType(NumberDataViewType.Single, labels.Count), score.ToAnnotations(), scores => ScoreGetters.Vector(scores)),
        ];
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

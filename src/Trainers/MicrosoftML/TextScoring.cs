using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Everything <see cref="ITransformer"/> asks of a text classifier except saving: a transformer holds one and forwards to it.</summary>
internal sealed class TextScoring
{
    private readonly ColumnScoring _scoring;

    /// <param name="host">The transformer's.</param>
    /// <param name="columns">Columns read and written.</param>
    /// <param name="labels">The classes, as many as the scorer's.</param>
    /// <param name="source">The model.</param>
    /// <param name="batchSize">Rows scored at once when data is read through; 1 or more.</param>
    /// <param name="annotateScore">Adds annotations to the Score column of every schema put out, given the schema that came in; null adds none.</param>
    /// <param name="predictsValues">Whether PredictedLabel holds the classes' values rather than keys.</param>
    public TextScoring(IHost host, TextColumns columns, LabelValues labels, ITextScorerSource source, int batchSize,
        Action<DataViewSchema.Annotations.Builder, DataViewSchema>? annotateScore = null, bool predictsValues = false)
    {
        (Columns, Labels) = (columns, labels);
        _scoring = new ColumnScoring(host, input => new TextScoringBindings(host, columns, labels, input, annotateScore, predictsValues), source, batchSize);
    }

    public TextColumns Columns { get; }

    public LabelValues Labels { get; }

    public int BatchSize => _scoring.BatchSize;

    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema input) => _scoring.GetOutputSchema(input);

    /// <summary>A lazy view that scores in batches.</summary>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public IDataView Transform(IDataView input) => _scoring.Transform(input);

    /// <summary>A mapper that scores single rows.</summary>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema input) => _scoring.GetRowToRowMapper(input);
}

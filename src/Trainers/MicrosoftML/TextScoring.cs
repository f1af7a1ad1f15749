using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Everything <see cref="ITransformer"/> asks of a text classifier except saving: a transformer holds one and forwards to it.</summary>
internal sealed class TextScoring
{
    private readonly IHost _host;
    private readonly ITextScorerSource _source;
    private readonly Action<DataViewSchema.Annotations.Builder>? _annotateScore;

    /// <param name="host">The transformer's.</param>
    /// <param name="columns">Columns read and written.</param>
    /// <param name="labels">The classes, as many as the scorer's.</param>
    /// <param name="source">The model.</param>
    /// <param name="batchSize">Rows scored at once when data is read through; 1 or more.</param>
    /// <param name="annotateScore">Adds annotations to the Score column of every schema put out; null adds none.</param>
    public TextScoring(IHost host, TextColumns columns, LabelValues labels, ITextScorerSource source, int batchSize,
        Action<DataViewSchema.Annotations.Builder>? annotateScore = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        _host = host;
        Columns = columns;
        Labels = labels;
        _source = source;
        BatchSize = batchSize;
        _annotateScore = annotateScore;
    }

    public TextColumns Columns { get; }

    public LabelValues Labels { get; }

    public int BatchSize { get; }

    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema input) => Bind(input).OutputSchema;

    /// <summary>A lazy view that scores in batches.</summary>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public IDataView Transform(IDataView input) => new BatchedScoringView(_host, Bind(input.Schema), _source, BatchSize, input);

    /// <summary>A mapper that scores single rows.</summary>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema input) => new TextScoringMapper(_host, Bind(input), _source);

    private TextScoringBindings Bind(DataViewSchema input) => new(_host, Columns, Labels, input, _annotateScore);
}

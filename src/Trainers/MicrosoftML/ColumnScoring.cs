using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Everything <see cref="ITransformer"/> asks of a text model except saving: a transformer holds one and forwards to it.</summary>
internal sealed class ColumnScoring
{
    private readonly IHost _host;
    private readonly ITextScorerSource _source;
    private readonly Func<DataViewSchema, TextScoringBindings> _bind;

    /// <param name="host">The transformer's.</param>
    /// <param name="bind">Checks an input schema and says what is computed of it.</param>
    /// <param name="source">The model.</param>
    /// <param name="batchSize">Rows scored at once when data is read through; 1 or more.</param>
    public ColumnScoring(IHost host, Func<DataViewSchema, TextScoringBindings> bind, ITextScorerSource source, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        (_host, _bind, _source, BatchSize) = (host, bind, source, batchSize);
    }

    public int BatchSize { get; }

    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema input) => _bind(input).OutputSchema;

    /// <summary>A lazy view that scores in batches.</summary>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public IDataView Transform(IDataView input) => new BatchedScoringView(_host, _bind(input.Schema), _source, BatchSize, input);

    /// <summary>A mapper that scores single rows.</summary>
    /// <exception cref="ArgumentException">A text column is missing or holds something else.</exception>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema input) => new TextScoringMapper(_host, _bind(input), _source);
}

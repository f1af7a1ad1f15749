using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Scores single rows as they come: the way of prediction engines.</summary>
internal sealed class TextScoringMapper(IHost host, TextScoringBindings bindings, ITextScorerSource source) : IRowToRowMapper
{
    public DataViewSchema InputSchema => bindings.InputSchema;

    public DataViewSchema OutputSchema => bindings.OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        bindings.DependenciesOf(dependingColumns);

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        var active = new bool[OutputSchema.Count];
        foreach (var column in activeColumns) active[column.Index] = true;
        var scored = bindings.AsksForScores(active);
        return new TextScoringRow(host, bindings, scored ? source.Acquire() : null, input, active);
    }
}

/// <summary>An input row with its scores, computed when first asked for at each position.</summary>
internal sealed class TextScoringRow : DataViewRow
{
    private readonly IHost _host;
    private readonly TextScoringBindings _bindings;
    private readonly ScorerLease? _lease;
    private readonly DataViewRow _input;
    private readonly bool[] _active;
    private readonly TextRowReader? _text;
    private readonly float[] _scores;   // (classes)
    private long _scoredPosition = -1;
    private bool _disposed;

    /// <summary>Takes ownership of <paramref name="lease"/> and, once made, of <paramref name="input"/>.</summary>
    public TextScoringRow(IHost host, TextScoringBindings bindings, ScorerLease? lease, DataViewRow input, bool[] active)
    {
        try
        {
            _host = host;
            _bindings = bindings;
            _lease = lease;
            _input = input;
            _active = active;
            _text = lease is null ? null : new TextRowReader(input, bindings.Sentence1, bindings.Sentence2);
            _scores = new float[lease?.Scorer.ClassCount ?? 0];
        }
        catch
        {
            GC.SuppressFinalize(this);
            lease?.Dispose();
            throw;
        }
    }

    public override DataViewSchema Schema => _bindings.OutputSchema;

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column)) throw new InvalidOperationException($"Column '{column.Name}' was not asked for when this row was made.");
        return _bindings.IsScored(column.Index)
            ? ScoreGetters.Cast<TValue>(_bindings.CreateGetter(column.Index, CurrentScores), Schema[column.Index])
            : _input.GetGetter<TValue>(_input.Schema[column.Index]);
    }

    private ReadOnlySpan<float> CurrentScores()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var position = _input.Position;
        if (position >= 0 && position == _scoredPosition) return _scores;

        _host.CheckAlive();
        var row = _text!.Read();
        _scoredPosition = -1;   // stays so if scoring fails half-way
        _lease!.Scorer.Score([row], _scores);
        _scoredPosition = position;
        return _scores;
    }

    /// <summary>Returns the lease of a row nobody disposed: ML.NET's PredictionEngine disposes its transformer, never its row.</summary>
    ~TextScoringRow() => Dispose(false);

    protected override void Dispose(bool disposing)
    {
        if (!_disposed)
        {
            _disposed = true;
            // The lease goes last and in any case: a failing input must not keep a model in memory.
            try { if (disposing) _input.Dispose(); }
            finally { _lease?.Dispose(); }
        }
        base.Dispose(disposing);
    }
}

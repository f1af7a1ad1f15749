using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Reads a batch of rows ahead, keeps copies of the columns asked for, and serves them row by row; a batch is scored at once.</summary>
/// <remarks>
/// <para>Nothing is read before the first MoveNext, and a batch is scored only when a scored column of one of its rows is asked for: rows
/// that are skipped cost no forward pass.</para>
/// <para>Batches double from one row up to the batch size. A reader that stops early (TakeRows, a preview) has caused fewer than twice the
/// rows it read to be scored; a reader of everything pays a handful of small batches once.</para>
/// </remarks>
internal sealed class BatchedScoringCursor : DataViewRowCursor
{
    private readonly IHost _host;
    private readonly TextScoringBindings _bindings;
    private readonly ScorerLease _lease;
    private readonly DataViewRowCursor _input;
    private readonly bool[] _active;
    private readonly int _batchSize;

    private readonly TextRowReader _text;
    private readonly ValueGetter<DataViewRowId> _id;
    private readonly ReadAheadColumn?[] _columns;   // by input column; null where not asked for
    private readonly TextRow[] _rows;
    private readonly DataViewRowId[] _ids;
    private readonly float[] _scores;               // (batch, classes)
    private readonly int _classes;

    private int _nextBatch = 1;
    private int _count;
    private int _slot = -1;
    private long _position = -1;
    private bool _scored;
    private bool _inputEnded;
    private bool _disposed;

    /// <summary>Takes ownership of <paramref name="lease"/> and, once made, of <paramref name="input"/>.</summary>
    public BatchedScoringCursor(IHost host, TextScoringBindings bindings, ScorerLease lease, int batchSize, DataViewRowCursor input, bool[] active)
    {
        try
        {
            _host = host;
            _bindings = bindings;
            _lease = lease;
            _input = input;
            _active = active;
            _batchSize = batchSize;
            _classes = lease.Scorer.ClassCount;

            _text = new TextRowReader(input, bindings.Sentence1, bindings.Sentence2);
            _id = input.GetIdGetter();
            _columns = [.. input.Schema.Select(c => active[c.Index] ? ReadAheadColumn.Create(input, c, batchSize) : null)];
            _rows = new TextRow[batchSize];
            _ids = new DataViewRowId[batchSize];
            _scores = new float[checked(batchSize * _classes)];
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    public override DataViewSchema Schema => _bindings.OutputSchema;

    public override long Position => _position;

    /// <summary>Always 0: one cursor sees all rows in order.</summary>
    public override long Batch => 0;

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override bool MoveNext()
    {
        if (_disposed) return false;
        if (++_slot >= _count && !ReadAhead())
        {
            _position = -1;
            return false;
        }
        _position++;
        return true;
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = _ids[CurrentSlot()];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column)) throw new InvalidOperationException($"Column '{column.Name}' was not asked for when this cursor was made.");
        var getter = _bindings.IsScored(column.Index)
            ? _bindings.CreateGetter(column.Index, CurrentScores)
            : _columns[column.Index]!.CreateGetter(CurrentSlot);
        return ScoreGetters.Cast<TValue>(getter, Schema[column.Index]);
    }

    /// <returns>False at the end of the input.</returns>
    private bool ReadAhead()
    {
        _count = 0;
        _slot = -1;
        _scored = false;
        if (_inputEnded) return false;
        _host.CheckAlive();

        var count = 0;
        while (count < _nextBatch && !_inputEnded)
        {
            if (!_input.MoveNext())
            {
                _inputEnded = true;
                break;
            }
            _rows[count] = _text.Read();
            _id(ref _ids[count]);
            foreach (var column in _columns) column?.Read(count);
            count++;
        }
        // Only a batch read to its end is served: an exception above leaves the cursor standing on no row.
        _count = count;
        _slot = count > 0 ? 0 : -1;
        _nextBatch = Math.Min(_nextBatch * 2, _batchSize);
        return count > 0;
    }

    private ReadOnlySpan<float> CurrentScores()
    {
        var slot = CurrentSlot();
        if (!_scored)
        {
            _host.CheckAlive();
            _lease.Scorer.Score(_rows.AsSpan(0, _count), _scores.AsSpan(0, _count * _classes));
            _scored = true;
        }
        return _scores.AsSpan(slot * _classes, _classes);
    }

    private int CurrentSlot()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_slot < 0) throw new InvalidOperationException("The cursor stands on no row; call MoveNext first, and stop when it returns false.");
        return _slot;
    }

    protected override void Dispose(bool disposing)
    {
        if (!_disposed && disposing)
        {
            _disposed = true;
            _slot = -1;
            // The lease goes last and in any case: a failing input must not keep a model in memory.
            try { _input.Dispose(); }
            finally { _lease.Dispose(); }
        }
        base.Dispose(disposing);
    }
}

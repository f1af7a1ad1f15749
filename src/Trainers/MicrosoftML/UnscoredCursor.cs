using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>The input's own cursor under the output schema, for readers that want none of the scored columns: no model, no copies.</summary>
internal sealed class UnscoredCursor(TextScoringBindings bindings, DataViewRowCursor input, bool[] active) : DataViewRowCursor
{
    private bool _disposed;

    public override DataViewSchema Schema => bindings.OutputSchema;

    public override long Position => input.Position;

    public override long Batch => input.Batch;

    public override bool MoveNext() => input.MoveNext();

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column)) throw new InvalidOperationException($"Column '{column.Name}' was not asked for when this cursor was made.");
        return input.GetGetter<TValue>(input.Schema[column.Index]);
    }

    protected override void Dispose(bool disposing)
    {
        if (!_disposed && disposing) input.Dispose();
        _disposed = true;
        base.Dispose(disposing);
    }
}

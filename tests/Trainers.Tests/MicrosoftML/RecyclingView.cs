using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

/// <summary>The strictest input the contract allows: text lives in one character buffer that the next row overwrites.</summary>
internal sealed class RecyclingView(IDataView input) : IDataView
{
    public DataViewSchema Schema => input.Schema;

    public bool CanShuffle => input.CanShuffle;

    public long? GetRowCount() => input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(input.GetRowCursor(columnsNeeded, rand));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(DataViewRowCursor input) : DataViewRowCursor
    {
        private readonly char[] _buffer = new char[1000];
        private int _used;

        public override DataViewSchema Schema => input.Schema;
        public override long Position => input.Position;
        public override long Batch => input.Batch;
        public override bool IsColumnActive(DataViewSchema.Column column) => input.IsColumnActive(column);
        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool MoveNext()
        {
            _buffer.AsSpan().Fill('#');
            _used = 0;
            return input.MoveNext();
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            var getter = input.GetGetter<TValue>(column);
            if (getter is ValueGetter<ReadOnlyMemory<char>> text)
                return (ValueGetter<TValue>)(Delegate)(ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) =>
                {
                    text(ref value);
                    value = Recycle(value);
                });
            if (getter is ValueGetter<VBuffer<ReadOnlyMemory<char>>> texts)
                return (ValueGetter<TValue>)(Delegate)(ValueGetter<VBuffer<ReadOnlyMemory<char>>>)((ref VBuffer<ReadOnlyMemory<char>> value) =>
                {
                    texts(ref value);
                    var editor = VBufferEditor.CreateFromBuffer(ref value);
                    foreach (ref var item in editor.Values) item = Recycle(item);
                    value = editor.Commit();
                });
            return getter;
        }

        private ReadOnlyMemory<char> Recycle(ReadOnlyMemory<char> text)
        {
            var copy = _buffer.AsMemory(_used, text.Length);
            text.CopyTo(copy);
            _used += text.Length;
            return copy;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) input.Dispose();
            base.Dispose(disposing);
        }
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Cli.Input;

/// <summary>A table as ML.NET reads it: text columns by name, under a schema that may have more.</summary>
/// <remarks>
/// A model's schema names columns that scoring does not need, the label above all. Where the table lacks such a column its values are the
/// type's default. Thread-safe.
/// </remarks>
internal sealed class TextTableView(TextTable table, DataViewSchema schema) : IDataView
{
    public DataViewSchema Schema { get; } = schema;

    public bool CanShuffle => false;

    /// <summary>The view of all columns of a table.</summary>
    public static TextTableView Of(TextTable table)
    {
        var schema = new DataViewSchema.Builder();
        foreach (var name in table.Columns) schema.AddColumn(name, TextDataViewType.Instance);
        return new TextTableView(table, schema.ToSchema());
    }

    public long? GetRowCount() => table.Rows.Count;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(table, Schema, [.. columnsNeeded.Select(column => column.Index)]);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(TextTable table, DataViewSchema schema, HashSet<int> active) : DataViewRowCursor
    {
        private long _position = -1;

        public override DataViewSchema Schema => schema;

        public override long Position => _position;

        public override long Batch => 0;

        public override bool MoveNext()
        {
            if (_position < table.Rows.Count) _position++;
            return _position < table.Rows.Count;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => active.Contains(column.Index);

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)_position, 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (typeof(TValue) != column.Type.RawType)
                throw new InvalidOperationException($"Column '{column.Name}' holds {column.Type.RawType}, not {typeof(TValue)}.");
            var place = column.Type is TextDataViewType ? table.IndexOf(column.Name) : -1;
            if (place < 0) return (ref TValue value) => value = default!;
            ValueGetter<ReadOnlyMemory<char>> text = (ref ReadOnlyMemory<char> value) => value = table.Rows[(int)_position].Fields[place].AsMemory();
            return (ValueGetter<TValue>)(Delegate)text;
        }
    }
}

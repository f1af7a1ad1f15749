using Microsoft.ML;

namespace MLNetLoRA.Transforms.Tests;

/// <summary>Passes everything on and remembers which columns were asked for.</summary>
internal sealed class SpyView(IDataView source) : IDataView
{
    public List<int> Asked { get; } = [];

    public DataViewSchema Schema => source.Schema;

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var columns = columnsNeeded.ToList();
        Asked.AddRange(columns.Select(column => column.Index));
        return source.GetRowCursor(columns, rand);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests;

public class ModelSavingCatalogTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SaveAtomically_OverAnOldFile_LoadsAsTheNewModelWithItsSchema()
    {
        var data = TextTable.Create(_ml, 5);
        using var model = TextTable.Transformer(_ml, data);
        var path = _folder.Write("model.mlnet", "old");

        _ml.Model.SaveAtomically(model, data.Schema, path);

        using var loaded = Assert.IsType<FakeTextTransformer>(new MLContext().Model.Load(path, out var schema));
        Assert.Equal(data.Schema.Select(column => column.Name), schema.Select(column => column.Name));
        Assert.Equal(model.Transform(data).GetColumn<float[]>("Score"), loaded.Transform(data).GetColumn<float[]>("Score"));
        Assert.Equal(["model.mlnet"], _folder.Names());
    }

    [Fact]
    public void SaveAtomically_ModelThatCannotBeSaved_LeavesTheOldFile()
    {
        var path = _folder.Write("model.mlnet", "old");

        var error = Assert.ThrowsAny<Exception>(() => _ml.Model.SaveAtomically(new Unsavable(), null, path));

        Assert.Contains("half way", error.ToString(), StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["model.mlnet"], _folder.Names());
    }

    [Fact]
    public void SaveAtomically_ZipThatWasNotFinished_ThrowsAndLeavesTheOldFile()
    {
        var data = TextTable.Create(_ml, 5);
        using var model = TextTable.Transformer(_ml, data);
        using var whole = new MemoryStream();
        _ml.Model.Save(model, data.Schema, whole);
        var path = _folder.Write("model.mlnet", "old");

        // As on a disk that is full when the zip is closed: all content is there, the list of entries is not, and ML.NET says nothing.
        var error = Assert.Throws<IOException>(() =>
            ModelSavingCatalog.WriteZip(path, stream => stream.Write(whole.GetBuffer().AsSpan(0, (int)whole.Length - 30))));

        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["model.mlnet"], _folder.Names());
    }

    private sealed class Unsavable : ITransformer
    {
        public bool IsRowToRowMapper => false;
        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;
        public IDataView Transform(IDataView input) => input;
        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

        public void Save(ModelSaveContext ctx)
        {
            ModelEntries.Save(ctx, "some.bin", stream => stream.Write(new byte[100_000]));
            throw new InvalidDataException("half way");
        }
    }
}

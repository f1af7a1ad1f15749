using System.Text;
using TorchSharp;
using static TorchSharp.torch;

using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests;

public class SafetensorsWriterTests
{
    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int8)]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Bool)]
    public void Write_ThenRead_RestoresTypeShapeAndBits(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var matrix = arange(-6, 6, dtype: ScalarType.Float32, device: CPU).view(3, 4).to(type);
        var scalar = ones([], dtype: type, device: CPU);
        var none = empty([2, 0, 3], dtype: type, device: CPU);

        using var file = WriteAndOpen(null, ("matrix", matrix), ("scalar", scalar), ("none", none));

        Assert.Equal(3, file.Entries.Count);
        foreach (var (name, expected) in new[] { ("matrix", matrix), ("scalar", scalar), ("none", none) })
        {
            var actual = file.Read(name);
            Assert.Equal(expected.dtype, actual.dtype);
            Assert.Equal(expected.shape, actual.shape);
            Assert.Equal(expected.bytes.ToArray(), actual.bytes.ToArray());
        }
    }

    [Fact]
    public void Write_SmallTensors_GivesTheReferenceLayout()
    {
        using var scope = NewDisposeScope();
        using var stream = new MemoryStream();

        SafetensorsWriter.Write(
            stream,
            [
                new("z.bytes", tensor([7, 8, 9], dtype: ScalarType.Byte, device: CPU)),
                new("b", tensor([1f], device: CPU)),
                new("é", tensor([2f], device: CPU)),
                new("a", tensor([3L], device: CPU)),
            ],
            new Dictionary<string, string> { ["format"] = "pt", ["author"] = "a" });

        var header = """
            {"__metadata__":{"author":"a","format":"pt"},
            "a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},
            "é":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},
            "z.bytes":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}}
            """.ReplaceLineEndings("");
        var length = Encoding.UTF8.GetByteCount(header);
        var padded = (length + 7) / 8 * 8;
        var expected = SafetensorsBytes.Of(header + new string(' ', padded - length), [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 7, 8, 9]);
        Assert.NotEqual(length, padded);
        Assert.Equal(expected, stream.ToArray());
    }

    [Fact]
    public void Write_AnotherOrder_GivesTheSameBytes()
    {
        using var scope = NewDisposeScope();
        KeyValuePair<string, Tensor>[] tensors =
            [new("b", arange(3, dtype: ScalarType.Float32, device: CPU)), new("a", ones(2, dtype: ScalarType.Float32, device: CPU)), new("c", zeros(1, dtype: ScalarType.Bool, device: CPU))];
        using var first = new MemoryStream();
        using var second = new MemoryStream();

        SafetensorsWriter.Write(first, tensors, new Dictionary<string, string> { ["x"] = "1", ["y"] = "2" });
        SafetensorsWriter.Write(second, [.. tensors.Reverse()], new Dictionary<string, string> { ["y"] = "2", ["x"] = "1" });

        Assert.Equal(first.ToArray(), second.ToArray());
    }

    [Fact]
    public void Write_TransposedSlicedAndTrainable_StoresTheLogicalValues()
    {
        using var scope = NewDisposeScope();
        var whole = arange(12, dtype: ScalarType.Float32, device: CPU).view(3, 4);
        var trainable = ones(2, 2, dtype: ScalarType.Float32, device: CPU, requires_grad: true);

        using var file = WriteAndOpen(null, ("t", whole.t()), ("s", whole.slice(1, 1, 4, 2)), ("p", trainable), ("e", whole.slice(0, 1, 2, 1).expand(2, 4)));

        Assert.Equal([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11], file.Read("t").data<float>().ToArray());
        Assert.Equal([1, 3, 5, 7, 9, 11], file.Read("s").data<float>().ToArray());
        Assert.Equal([4, 5, 6, 7, 4, 5, 6, 7], file.Read("e").data<float>().ToArray());
        Assert.False(file.Read("p").requires_grad);
        Assert.True(trainable.requires_grad);
    }

    [Fact]
    public void Write_TensorLongerThanOneStretch_RestoresBothSidesOfTheSeam()
    {
        using var scope = NewDisposeScope();
        var length = TensorBytes.StretchBytes / 2 + 3;
        var expected = arange(length, dtype: ScalarType.Int32, device: CPU).to(ScalarType.Int16);

        using var file = WriteAndOpen(null, ("long", expected));

        Assert.True(file.Read("long").equal(expected).all().item<bool>());
    }

    [Fact]
    public void Write_NothingAtAll_IsAValidFile()
    {
        using var file = WriteAndOpen(null);
        Assert.Empty(file.Entries);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void Write_UnusableTensors_ReportsAllAndWritesNothing()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var good = ones(1, device: CPU);

        var thrown = Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(
            folder.File("out.safetensors"),
            [
                new("twice", good), new("twice", good), new("__metadata__", good), new("half \ud800", good),
                new("imaginary", zeros(1, dtype: ScalarType.ComplexFloat32, device: CPU)),
                new("nowhere", empty(1, dtype: ScalarType.Float32, device: META)),
            ],
            new Dictionary<string, string> { ["note"] = "\udc00" }));

        foreach (var fault in (string[])["'twice' is given twice", "'__metadata__' cannot name", "'half ", "'imaginary' is ComplexFloat32", "'nowhere' has no dense data", "note 'note'"])
            Assert.Contains(fault, thrown.Message, StringComparison.Ordinal);
        Assert.Empty(folder.Names());
    }

    [Fact]
    public void Write_Anything_FreesItsCopies()
    {
        using var matrix = ones(3, 4, device: CPU);
        using var transposed = matrix.t();
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        WriteAndOpen(null, ("t", transposed), ("m", matrix)).Dispose();

        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Write_ToPathThatFailsHalfway_KeepsTheOldFile()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("out.safetensors", "old");
        var disposed = ones(1, device: CPU);
        using var good = ones(1, device: CPU);
        disposed.Dispose();

        Assert.ThrowsAny<Exception>(() => SafetensorsWriter.Write(path, [new("a", good), new("b", disposed)]));

        Assert.Equal(["out.safetensors"], folder.Names());
        Assert.Equal("old", File.ReadAllText(path));
    }

    private static SafetensorsFile WriteAndOpen(IReadOnlyDictionary<string, string>? metadata, params (string Name, Tensor Tensor)[] tensors)
    {
        var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, [.. tensors.Select(pair => KeyValuePair.Create(pair.Name, pair.Tensor))], metadata);
        stream.Position = 0;
        return SafetensorsFile.Open(stream, "written");
    }
}

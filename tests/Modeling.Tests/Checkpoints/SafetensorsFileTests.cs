using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests;

public class SafetensorsFileTests
{
    [Fact]
    public void Read_AllHalfPrecisionPatterns_EqualTheBitLevelConversion()
    {
        var data = new byte[2 * 65536 * 2];
        for (var i = 0; i < 65536; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2 * i), (ushort)i);
            BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2 * (65536 + i)), (ushort)i);
        }
        using var file = SafetensorsBytes.Open(SafetensorsBytes.Of("""
            {"half":{"dtype":"F16","shape":[256,256],"data_offsets":[0,131072]},"brain":{"dtype":"BF16","shape":[65536],"data_offsets":[131072,262144]}}
            """.Trim(), data));

        using var half = file.Read("half", ScalarType.Float32);
        using var brain = file.Read("brain", ScalarType.Float32);

        Assert.Equal([256, 256], half.shape);
        var (halves, brains) = (half.data<float>().ToArray(), brain.data<float>().ToArray());
        for (var i = 0; i < 65536; i++)
        {
            Assert.Equal((float)BitConverter.UInt16BitsToHalf((ushort)i), halves[i]);
            Assert.Equal(BitConverter.Int32BitsToSingle(i << 16), brains[i]);
        }
    }

    [Theory]
    [InlineData("F64", ScalarType.Float64, "000000000000F8BF", -1.5)]
    [InlineData("F32", ScalarType.Float32, "0000C03F", 1.5)]
    [InlineData("F16", ScalarType.Float16, "00BE", -1.5)]
    [InlineData("BF16", ScalarType.BFloat16, "C03F", 1.5)]
    [InlineData("I64", ScalarType.Int64, "FEFFFFFFFFFFFFFF", -2)]
    [InlineData("I32", ScalarType.Int32, "00000080", int.MinValue)]
    [InlineData("I16", ScalarType.Int16, "00FF", -256)]
    [InlineData("I8", ScalarType.Int8, "80", -128)]
    [InlineData("U8", ScalarType.Byte, "FF", 255)]
    [InlineData("BOOL", ScalarType.Bool, "01", 1)]
    public void Read_ScalarOfEachType_HasTypeAndValue(string dtype, ScalarType expected, string hex, double value)
    {
        var data = Convert.FromHexString(hex);
        using var file = SafetensorsBytes.Open(SafetensorsBytes.Of($$"""{"x":{"dtype":"{{dtype}}","shape":[],"data_offsets":[0,{{data.Length}}]} }""", data));

        using var stored = file.Read("x");
        using var number = file.Read("x", ScalarType.Float64);

        Assert.Equal(expected, stored.dtype);
        Assert.Equal(DeviceType.CPU, stored.device_type);
        Assert.Empty(stored.shape);
        Assert.Equal(value, number.item<double>());
    }

    [Fact]
    public void Open_ValidFile_ListsEntriesAndMetadata()
    {
        using var file = SafetensorsBytes.Open(SafetensorsBytes.Of(
            """{"b":{"dtype":"I16","shape":[2,0],"data_offsets":[3,3]},"__metadata__":{"format":"pt"},"a":{"data_offsets":[0,3],"shape":[3,1],"dtype":"U8"}}    """, 7, 8, 9));

        Assert.Equal("pt", Assert.Single(file.Metadata, pair => pair.Key == "format").Value);
        Assert.Equal(["a", "b"], file.Entries.Keys.Order());
        Assert.Equal("(3, 1)", file.Entries["a"].ShapeText);
        Assert.Equal((0L, 3L, 3L), (file.Entries["a"].Offset, file.Entries["a"].ByteCount, file.Entries["a"].ElementCount));
        using var a = file.Read("a");
        using var b = file.Read("b");
        Assert.Equal([7, 8, 9], a.data<byte>().ToArray());
        Assert.Equal([2, 0], b.shape);
    }

    [Fact]
    public void Open_StreamNotAtItsStart_ReadsFromItsPosition()
    {
        byte[] bytes = [1, 2, 3, .. SafetensorsBytes.Of("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 42)];
        using var stream = new MemoryStream(bytes) { Position = 3 };

        using (var file = SafetensorsFile.Open(stream, "inner", leaveOpen: true))
        {
            using var x = file.Read("x");
            Assert.Equal(42, x.item<byte>());
        }

        Assert.True(stream.CanRead);
    }

    [Fact]
    public void Open_UnseekableStream_SaysWhatToDo()
    {
        using var stream = new System.IO.Compression.DeflateStream(new MemoryStream(), System.IO.Compression.CompressionMode.Decompress);
        Assert.Contains("MemoryStream", Assert.Throws<ArgumentException>(() => SafetensorsFile.Open(stream, "zipped")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", "does not start with '{'")]
    [InlineData(" {}", "does not start with '{'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}""", "cannot be read")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}} x""", "cannot be read")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "Duplicate")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}""", "Duplicate")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "cannot be read")]
    [InlineData("""{"a":{"dtype":"\ud800","shape":[1],"data_offsets":[0,1]}}""", "cannot be read")]
    [InlineData("""{"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}""", "depth")]
    [InlineData("""{"a":3}""", "an object with dtype, shape and data_offsets was wanted")]
    [InlineData("""{"a":{"shape":[1],"data_offsets":[0,1]}}""", "has no dtype")]
    [InlineData("""{"a":{"dtype":"U8","data_offsets":[0,1]}}""", "has no shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1]}}""", "has no data_offsets")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"stride":[1]}}""", "unknown field 'stride'")]
    [InlineData("""{"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}}""", "dtype is a number; a string was wanted")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}""", "'F8_E4M3'; supported are I64, F64, F32")]
    [InlineData("""{"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}""", "shape is a number; an array was wanted")]
    [InlineData("""{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}""", "shape[0] is")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}""", "shape[0] is '-1'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}""", "shape[0] is '1.0'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}""", "shape[0] is '9223372036854775808'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4294967296,4294967296,4294967297],"data_offsets":[0,1]}}""", "larger than 2^63 bytes")]
    [InlineData("""{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}""", "larger than 2^63 bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[0,9223372036854775807,2],"data_offsets":[0,0]}}""", "larger than 2^63 bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}""", "has 1 data_offsets")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}""", "at most 2")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}""", "data_offsets[0] is '-1'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}""", "begins at 1, after its end at 0")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", "ends at byte 2 of the data, which has 1 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}}""", "has 1 bytes (data_offsets 0 to 1); 4 were wanted for F32 of shape (1)")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "overlaps another")]
    [InlineData("""{"a":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}""", "bytes 0 to 1 of the data, before tensor 'a', belong to no tensor")]
    [InlineData("""{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""", "the tensors end at byte 0 of the data, which has 1 bytes")]
    [InlineData("""{"__metadata__":[]}""", "__metadata__ holds an array")]
    [InlineData("""{"__metadata__":{"step":1}}""", "__metadata__ entry 'step' holds a number; a string was wanted")]
    public void Open_HostileHeader_NamesFileAndFault(string header, string fault)
    {
        var thrown = Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(SafetensorsBytes.Of(header, 0)));

        Assert.StartsWith("hand.safetensors: ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(fault, thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1UL << 60, "1152921504606846976")]
    [InlineData(ulong.MaxValue, "18446744073709551615")]
    [InlineData(100_000_001UL, "100000001")]
    public void Open_HugeHeaderLength_IsRefusedBeforeAllocation(ulong length, string shown)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var thrown = Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(SafetensorsBytes.WithLength(length, [], [])));

        Assert.Contains($"header length is {shown} bytes; at most 100000000", thrown.Message, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void Open_FileShorterThanItsLengthField_SaysSo(int length) =>
        Assert.Contains(
            $"the file has {length} bytes",
            Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(new byte[length])).Message, StringComparison.Ordinal);

    [Fact]
    public void Open_HeaderLongerThanFile_IsTruncated() =>
        Assert.Contains(
            "header length is 90000000 bytes but only 2 follow",
            Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(SafetensorsBytes.WithLength(90_000_000, "{}"u8.ToArray(), []))).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Open_HeaderNotUtf8_SaysSo()
    {
        byte[] header = [.. "{\""u8, 0xFF, .. "\":{}}"u8];
        Assert.Contains(
            "not valid UTF-8", Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(SafetensorsBytes.Of(header, []))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RankAboveSixtyFour_IsRefused()
    {
        var shape = string.Join(",", Enumerable.Repeat(1, 65));
        Assert.Contains(
            "shape has 65 numbers",
            Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(
                SafetensorsBytes.Of($$"""{"a":{"dtype":"U8","shape":[{{shape}}],"data_offsets":[0,1]} }""", 0))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NameWithLineBreaks_KeepsTheMessageOnOneLine()
    {
        var thrown = Assert.Throws<InvalidDataException>(() => SafetensorsBytes.Open(SafetensorsBytes.Of("""{"a\nb\u001b[31m":3}""")));
        Assert.DoesNotContain(thrown.Message, char.IsControl);
    }

    [Fact]
    public void Open_MissingFileOrFolder_NamesThePath()
    {
        using var folder = new TemporaryFolder();
        Assert.StartsWith(folder.File("no"), Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(folder.File("no"))).Message, StringComparison.Ordinal);
        Assert.StartsWith(folder.FullName, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(folder.FullName)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_InvalidFile_ReleasesIt()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("bad.safetensors", "not one");
        Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path));
        using var exclusive = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Equal(7, exclusive.Length);
    }

    [Fact]
    public void Read_UnknownName_NamesItAndTheFile()
    {
        using var file = SafetensorsBytes.Open(SafetensorsBytes.Of("{}"));
        Assert.Contains("hand.safetensors: there is no tensor 'x'", Assert.Throws<KeyNotFoundException>(() => file.Read("x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_BoolThatIsNeitherZeroNorOne_IsRefusedAndFreed()
    {
        using var file = SafetensorsBytes.Open(SafetensorsBytes.Of("""{"x":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}""", 0, 1, 2));
        var live = LiveTensors();
        Assert.Contains("BOOL", Assert.Throws<InvalidDataException>(() => file.Read("x")).Message, StringComparison.Ordinal);
        Assert.Equal(live, LiveTensors());
    }

    [Fact]
    public void Read_FileShrunkSinceOpened_IsRefusedAndFreed()
    {
        var stream = new MemoryStream();
        stream.Write(SafetensorsBytes.Of("""{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", 1, 2, 3));
        stream.Position = 0;
        using var file = SafetensorsFile.Open(stream, "shrinking");
        stream.SetLength(stream.Length - 1);
        var live = LiveTensors();
        Assert.StartsWith("shrinking: the file ended", Assert.Throws<InvalidDataException>(() => file.Read("x")).Message, StringComparison.Ordinal);
        Assert.Equal(live, LiveTensors());
    }

    [Fact]
    public void Read_WithConversion_LeavesOneTensorToTheCaller()
    {
        using var file = SafetensorsBytes.Open(SafetensorsBytes.Of("""{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", 1, 2, 3));
        var live = LiveTensors();
        var same = file.Read("x");
        Assert.Equal(live + 1, LiveTensors());
        var other = file.Read("x", ScalarType.Float32, CPU);
        Assert.Equal(live + 2, LiveTensors());
        same.Dispose();
        other.Dispose();
        Assert.Equal(live, LiveTensors());
    }

    [Fact]
    public void Read_AfterDispose_Throws()
    {
        var file = SafetensorsBytes.Open(SafetensorsBytes.Of("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("x"));
    }

    [Fact]
    public void Read_FromManyThreads_GivesEachItsOwnTensor()
    {
        const int Count = 64;
        var header = new StringBuilder("{");
        for (var i = 0; i < Count; i++)
            header.Append(i > 0 ? "," : "").Append($$"""
                "t{{i}}":{"dtype":"U8","shape":[1000],"data_offsets":[{{i * 1000}},{{(i + 1) * 1000}}]}
                """);
        var data = new byte[Count * 1000];
        for (var i = 0; i < data.Length; i++) data[i] = (byte)(i / 1000);
        var bytes = SafetensorsBytes.Of(header.Append('}').ToString(), data);
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("many.safetensors"), bytes);
        using var onDisk = SafetensorsFile.Open(folder.File("many.safetensors"));
        using var inMemory = SafetensorsBytes.Open(bytes);

        Parallel.For(0, 8 * Count, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            using var tensor = (i % 2 == 0 ? onDisk : inMemory).Read($"t{i % Count}");
            Assert.All(tensor.data<byte>().ToArray(), value => Assert.Equal(i % Count, value));
        });
    }

    [Theory]
    [InlineData("spectral-parity/base.safetensors", "square.weight", new long[] { 96, 96 }, 5)]
    [InlineData("spectral-parity/tuned.safetensors", "tall.weight", new long[] { 160, 64 }, 5)]
    [InlineData("roberta-tiny-parity/expected.safetensors", "logits", new long[] { 4, 16, 300 }, 2)]
    [InlineData("roberta-tiny-parity/model.safetensors", "roberta.embeddings.word_embeddings.weight", new long[] { 300, 64 }, null)]
    [InlineData("bert-tiny-parity/model.safetensors", "bert.embeddings.position_embeddings.weight", new long[] { 80, 64 }, null)]
    [InlineData("bert-tiny-parity/classification/expected.safetensors", "logits", new long[] { 4, 3 }, null)]
    [InlineData("stories260K/model.safetensors", "model.embed_tokens.weight", new long[] { 512, 64 }, null)]
    public void Read_Fixture_HasItsShapesAndFiniteValues(string path, string name, long[] shape, int? count)
    {
        using var file = SafetensorsFile.Open(MLNetLoRA.Testing.SharedData.Path(path.Split('/')));

        Assert.Equal(count ?? file.Entries.Count, file.Entries.Count);
        Assert.Equal(shape, file.Entries[name].Shape);
        foreach (var entry in file.Entries.Values)
        {
            using var tensor = file.Read(entry.Name);
            using var finite = tensor.isfinite();
            using var all = finite.all();
            Assert.Equal(entry.Shape, tensor.shape);
            Assert.True(all.item<bool>());
        }
    }

    // The thread's own count: other test classes run beside this one.
    private static long LiveTensors() => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
}

using System.IO.Compression;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

public class ModelEntriesTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void SaveThenLoad_TwoInAChain_KeepTheirOwnFilesAndScoreTheSame()
    {
        var (chain, data) = Chain([1, 2, 3], [9, 8, 7, 6]);
        var loaded = Load(Save(chain, data));

        var transformers = ((IEnumerable<ITransformer>)loaded).OfType<FakeTextTransformer>().ToArray();
        Assert.Equal([1, 2, 3], transformers[0].Weights);
        Assert.Equal([9, 8, 7, 6], transformers[1].Weights);
        Assert.Equal(TextTable.PairColumns, transformers[1].Scoring.Columns);
        Assert.Equal(chain.Transform(data).GetColumn<string>("PredictedLabel"), loaded.Transform(data).GetColumn<string>("PredictedLabel"));
        Assert.Equal(chain.Transform(data).GetColumn<float[]>("Score"), loaded.Transform(data).GetColumn<float[]>("Score"));
    }

    [Fact]
    public void SaveThenLoad_BareTransformer_Works()
    {
        var data = TextTable.Create(_ml, 5);
        using var transformer = TextTable.Transformer(_ml, data);
        var loaded = Assert.IsType<FakeTextTransformer>(Load(Save(transformer, data)));
        Assert.Equal(transformer.Weights, loaded.Weights);
        Assert.Equal(transformer.Transform(data).GetColumn<float[]>("Score"), loaded.Transform(data).GetColumn<float[]>("Score"));
    }

    [Fact]
    public void Save_CompressibleContent_IsStoredByteForByte()
    {
        var weights = new byte[100_000];   // zeros: deflate would leave a hundred bytes
        var (chain, data) = Chain(weights, weights);
        var file = Save(chain, data);

        var entries = new ZipArchive(new MemoryStream(file)).Entries.Where(e => e.Name == "weights.safetensors").ToArray();
        Assert.Equal(2, entries.Length);
        Assert.All(entries, e => Assert.Equal(e.Length, e.CompressedLength));
        Assert.All(entries, e => Assert.Equal(0, CompressionMethod(file, e.FullName)));
        Assert.All(entries, e => Assert.DoesNotContain('\\', e.FullName));
    }

    [Fact]
    public void Load_EntryMissing_IsNamed()
    {
        var (chain, data) = Chain([1], [2]);
        var file = Rewrite(Save(chain, data), CompressionLevel.NoCompression, drop: "weights.safetensors");
        Assert.Contains("weights.safetensors'; it is incomplete", LoadError(file).Message);
    }

    [Fact]
    public void Load_OneBitFlippedInTheWeights_IsRefused()
    {
        var weights = Encoding.ASCII.GetBytes("these are the weights of the first one");
        var (chain, data) = Chain(weights, [2]);
        var file = Save(chain, data);
        file[file.AsSpan().IndexOf(weights) + 10] ^= 1;
        var message = LoadError(file).Message;
        Assert.Contains("weights.safetensors", message);
        Assert.Contains("checksum", message);
    }

    [Fact]
    public void Load_EntryCompressedByAnotherTool_IsRefusedBeforeItIsExtracted()
    {
        var (chain, data) = Chain(new byte[1_000_000], [2]);
        var file = Rewrite(Save(chain, data), CompressionLevel.Optimal, drop: null);
        Assert.Contains("is compressed", LoadError(file).Message);
    }

    [Fact]
    public void Load_FileCutOff_IsAnErrorOfMLNets()
    {
        var (chain, data) = Chain(new byte[10_000], [2]);
        var file = Save(chain, data);
        Assert.ThrowsAny<Exception>(() => Load(file[..(file.Length / 2)]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("../evil")]
    [InlineData("a/b")]
    [InlineData("a\\b")]
    [InlineData(".hidden")]
    [InlineData("naïve")]
    public void Save_NameThatIsNotPlain_IsRefused(string name) =>
        Assert.Throws<ArgumentException>(() => SaveThrough(ctx => ModelEntries.Save(ctx, name, _ => { })));

    [Fact]
    public void Save_SameNameTwice_IsRefused()
    {
        var error = Assert.Throws<InvalidOperationException>(() => SaveThrough(ctx =>
        {
            ModelEntries.Save(ctx, "a.bin", _ => { });
            ModelEntries.Save(ctx, "a.bin", _ => { });
        }));
        Assert.Contains("a.bin", error.Message);
    }

    [Fact]
    public void ZipChecksum_OfTheStandardTestString_IsTheStandardValue()
    {
        // The check value published with every description of CRC-32.
        Assert.Equal(0xCBF43926u, ZipChecksum.Of(new MemoryStream("123456789"u8.ToArray())));
        Assert.Equal(0u, ZipChecksum.Of(new MemoryStream()));
    }

    [Fact]
    public void ZipChecksum_AcrossBufferBoundaries_EqualsDotNetsOwn()
    {
        var bytes = new byte[(1 << 20) + 13];
        new Random(3).NextBytes(bytes);
        using var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        using (var entry = archive.CreateEntry("x").Open()) entry.Write(bytes);
        Assert.Equal(new ZipArchive(zip).Entries[0].Crc32, ZipChecksum.Of(new MemoryStream(bytes)));
    }

    private (ITransformer Chain, IDataView Data) Chain(byte[] firstWeights, byte[] secondWeights)
    {
        var data = TextTable.Create(_ml, 7);
        var labels = LabelValues.From(data.Schema["Label"]);
        var first = new FakeTextTransformer(_ml, TextTable.SingleColumns with { Score = "FirstScore", PredictedLabel = "FirstLabel" }, labels, new FakeScorer(3), firstWeights);
        var second = new FakeTextTransformer(_ml, TextTable.PairColumns, labels, new FakeScorer(3), secondWeights);
        var toValue = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(second.Transform(data));
        return (new TransformerChain<ITransformer>(first, second, toValue), data);
    }

    private byte[] Save(ITransformer model, IDataView data)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, data.Schema, stream);
        return stream.ToArray();
    }

    private static ITransformer Load(byte[] file) => new MLContext().Model.Load(new MemoryStream(file), out _);

    /// <summary>Our error; ML.NET wraps whatever a loader throws, once per nesting of chains.</summary>
    private static InvalidDataException LoadError(byte[] file) => Assert.IsType<InvalidDataException>(Assert.ThrowsAny<Exception>(() => Load(file)).GetBaseException());

    private void SaveThrough(Action<ModelSaveContext> save)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(new SaveOnly(save), null, stream);
    }

    /// <summary>A transformer for the sake of its save context.</summary>
    private sealed class SaveOnly(Action<ModelSaveContext> save) : ITransformer
    {
        public bool IsRowToRowMapper => false;
        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;
        public IDataView Transform(IDataView input) => input;
        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();
        public void Save(ModelSaveContext ctx) => save(ctx);
    }

    /// <summary>The zip as another tool would write it: every entry at one compression level, some left out.</summary>
    private static byte[] Rewrite(byte[] file, CompressionLevel level, string? drop)
    {
        using var result = new MemoryStream();
        using (var target = new ZipArchive(result, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var entry in new ZipArchive(new MemoryStream(file)).Entries.Where(e => e.Name != drop))
            {
                using var from = entry.Open();
                using var to = target.CreateEntry(entry.FullName, level).Open();
                from.CopyTo(to);
            }
        return result.ToArray();
    }

    /// <summary>The method field of an entry's central directory record (PKWARE APPNOTE 4.3.12): 0 is stored.</summary>
    private static int CompressionMethod(byte[] file, string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        for (var i = file.AsSpan().IndexOf("PK\x01\x02"u8); i >= 0;)
        {
            if (file.AsSpan(i + 46).StartsWith(bytes)) return BitConverter.ToUInt16(file, i + 10);
            var next = file.AsSpan(i + 4).IndexOf("PK\x01\x02"u8);
            i = next < 0 ? -1 : i + 4 + next;
        }
        throw new InvalidOperationException(name);
    }
}

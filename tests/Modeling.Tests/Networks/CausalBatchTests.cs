using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

public class CausalBatchTests
{
    private static readonly DecoderConfig Config = TinyDecoder.Config();

    [Theory]
    [InlineData(false, new long[] { 5, 6, 7, 8, 0, 0 }, new long[] { 0, 1, 2, 0, 0, 0 }, new long[] { -100, 6, 7, -100, -100, -100 })]
    [InlineData(true, new long[] { 5, 6, 7, 0, 0, 8 }, new long[] { 0, 1, 2, 0, 0, 0 }, new long[] { -100, 6, 7, -100, -100, -100 })]
    public void Create_RowsOfUnequalLength_ArePaddedWithPositionsAndLabelsOfTheirOwn(bool left, long[] ids, long[] positions, long[] labels)
    {
        using var batch = CausalBatch.Create([[5, 6, 7], [8]], Config, CPU, left);
        using var wanted = batch.Labels();

        Assert.Equal(ids, batch.InputIds.data<long>().ToArray());
        Assert.Equal(positions, batch.Positions.data<long>().ToArray());
        Assert.Equal(labels, wanted.data<long>().ToArray());
    }

    [Fact]
    public void FromSegments_PackedTexts_CountAndLabelEachFromItsBeginning()
    {
        using var batch = CausalBatch.FromSegments([3, 4, 5, 6, 7, 0], [1, 1, 2, 2, 2, 0], 1, Config, CPU);
        using var labels = batch.Labels();

        Assert.Equal([0, 1, 0, 1, 2, 0], batch.Positions.data<long>().ToArray());
        Assert.Equal([-100, 4, -100, 6, 7, -100], labels.data<long>().ToArray());
    }

    [Fact]
    public void Create_BadRows_AreRefused()
    {
        Assert.Contains("at least one token", Assert.Throws<ArgumentException>(() => CausalBatch.Create([[1], []], Config, CPU)).Message, StringComparison.Ordinal);
        Assert.Contains("at least one row", Assert.Throws<ArgumentException>(() => CausalBatch.Create([], Config, CPU)).Message, StringComparison.Ordinal);
        Assert.StartsWith("Token id 1161 is no row of the embedding; ids are 0 to 1160.",
            Assert.Throws<ArgumentException>(() => CausalBatch.Create([[1, 1161]], Config, CPU)).Message, StringComparison.Ordinal);
        Assert.StartsWith("Token id -1 ", Assert.Throws<ArgumentException>(() => CausalBatch.Create([[-1]], Config, CPU)).Message, StringComparison.Ordinal);
        Assert.Contains("do not make 2 rows", Assert.Throws<ArgumentException>(() => CausalBatch.FromArrays(new long[3], new bool[3], 2, Config, CPU)).Message, StringComparison.Ordinal);
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Changes;

public class WeightChangeTests
{
    [Fact]
    public void Dense_OtherShape_NamesBoth()
    {
        using var scope = NewDisposeScope();

        var fault = Assert.Throws<ArgumentException>(() => WeightChange.Dense("layer.0.query", Zeros(4, 3), Zeros(3, 4)));

        Assert.Equal(
            "layer.0.query: the base is (4, 3) and the tuned matrix (3, 4); both must have one shape. Compare checkpoints of one model.", fault.Message);
    }

    [Theory]
    [InlineData(2, 5, 4, 2)]        // A reads too many
    [InlineData(2, 3, 5, 2)]        // B writes too many
    [InlineData(2, 3, 4, 1)]        // ranks differ
    public void LowRank_FactorsThatDoNotFit_SaysWhatFits(int aRows, int aColumns, int bRows, int bColumns)
    {
        using var scope = NewDisposeScope();

        var fault = Assert.Throws<ArgumentException>(() => WeightChange.LowRank("w", Zeros(4, 3), Zeros(aRows, aColumns), Zeros(bRows, bColumns), 1));

        Assert.StartsWith($"w: A is ({aRows}, {aColumns}) and B is ({bRows}, {bColumns})", fault.Message);
        Assert.Contains("wants A (rank, 3) and B (4, rank)", fault.Message);
    }

    [Theory]
    [InlineData(float.NaN, "the base")]
    [InlineData(float.PositiveInfinity, "the base")]
    [InlineData(float.NaN, "the tuned matrix")]
    [InlineData(float.NegativeInfinity, "the tuned matrix")]
    public void Dense_NotFinite_NamesTheMatrixAndCounts(float value, string where)
    {
        using var scope = NewDisposeScope();
        var (good, bad) = (Zeros(4, 3), Zeros(4, 3));
        bad[1, 2] = value;

        var fault = Assert.Throws<ArgumentException>(() => where == "the base" ? WeightChange.Dense("w", bad, good) : WeightChange.Dense("w", good, bad));

        Assert.StartsWith($"w: {where} holds 1 values that are NaN or infinite, of 12", fault.Message);
    }

    [Fact]
    public void LowRank_FactorNotFinite_NamesTheFactor()
    {
        using var scope = NewDisposeScope();
        var b = Zeros(4, 2);
        b[0, 0] = float.NaN;

        var fault = Assert.Throws<ArgumentException>(() => WeightChange.LowRank("w", Zeros(4, 3), Zeros(2, 3), b, 1));

        Assert.StartsWith("w: B holds 1 values", fault.Message);
    }

    [Fact]
    public void Change_OfIntegersVectorsOrNothing_IsRefused()
    {
        using var scope = NewDisposeScope();
        var integers = zeros([2, 2], dtype: int32, device: CPU);

        Assert.StartsWith("w: the base holds Int32", Assert.Throws<ArgumentException>(() => WeightChange.Dense("w", integers, integers)).Message);
        Assert.StartsWith("w: the base is (4)", Assert.Throws<ArgumentException>(() => WeightChange.Dense("w", zeros([4], device: CPU), zeros([4], device: CPU))).Message);
        Assert.StartsWith("w: the base is (0, 4)", Assert.Throws<ArgumentException>(() => WeightChange.Dense("w", Zeros(0, 4), Zeros(0, 4))).Message);
        Assert.StartsWith("w: the scale", Assert.Throws<ArgumentException>(() => WeightChange.LowRank("w", Zeros(2, 2), Zeros(1, 2), Zeros(2, 1), double.NaN)).Message);
    }

    private static Tensor Zeros(long rows, long columns) => zeros([rows, columns], dtype: float32, device: CPU);
}

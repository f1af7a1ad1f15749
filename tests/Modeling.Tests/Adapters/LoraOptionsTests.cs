namespace MLNetLoRA.Modeling.Tests.Adapters;

public class LoraOptionsTests
{
    private static readonly ProjectionShape[] Slots = [new("query", 32, 32), new("intermediate.dense", 32, 64), new("narrow", 32, 6)];

    [Fact]
    public void Faults_OfTheDefaults_AreNone() =>
        Assert.Empty(new LoraOptions().Faults([new("query", 32, 32)]));

    [Fact]
    public void Faults_OfSeveralBadValues_NamesThemAll()
    {
        var faults = new LoraOptions { Rank = 0, Dropout = 1, TargetModules = ["qury", "query", "valeu"] }.Faults(Slots).ToList();

        Assert.Contains("Lora.Rank is 0; use 1 or more (usual: 4 to 64).", faults);
        Assert.Contains("Lora.Dropout is 1; use a share from 0 to below 1.", faults);
        Assert.Contains("TargetModules 'qury' matches no projection. This model has: query, intermediate.dense, narrow.", faults);
        Assert.Contains(faults, fault => fault.StartsWith("TargetModules 'valeu'", StringComparison.Ordinal));
    }

    [Fact]
    public void Faults_OfAnUnknownInitialization_NamesTheKnown() =>
        Assert.Equal(
            "Lora.Initialization is 7; use one of: KaimingUniform, Gaussian, Orthogonal.",
            new LoraOptions { Initialization = (LoraInitialization)7 }.Faults([new("query", 32, 32)]).Single());

    [Theory]
    [InlineData(33, "query", "Lora.Rank is 33; 'query' is 32 by 32, so use 32 or less.")]
    [InlineData(7, "all-linear", "Lora.Rank is 7; 'narrow' is 6 by 32, so use 6 or less.")]
    [InlineData(32, "query", null)]
    [InlineData(6, "all-linear", null)]
    public void Faults_OfARankAboveTheNarrowestTarget_NamesIt(int rank, string target, string? expected) =>
        Assert.Equal(expected, new LoraOptions { Rank = rank, TargetModules = [target] }.Faults(Slots).SingleOrDefault());

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e300)]
    public void Faults_OfAnAlphaThatCannotScale_IsOne(double alpha) =>
        Assert.StartsWith("Lora.Alpha is ", Assert.Single(new LoraOptions { Alpha = alpha }.Faults([Slots[0]])), StringComparison.Ordinal);

    [Fact]
    public void Faults_OfNoTargets_AsksForOne() =>
        Assert.StartsWith("Lora.TargetModules is empty", Assert.Single(new LoraOptions { TargetModules = [] }.Faults(Slots)), StringComparison.Ordinal);

    [Fact]
    public void Scaling_IsAlphaOverRank_AndAlphaIsTwiceTheRankByDefault()
    {
        Assert.Equal(2, new LoraOptions { Rank = 5 }.Scaling);
        Assert.Equal(3, new LoraOptions { Rank = 4, Alpha = 12 }.Scaling);
    }
}

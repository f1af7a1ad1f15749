using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Retention;

public sealed class MaskedPositionsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TextTokenizer _tokenizer;

    public MaskedPositionsTests()
    {
        TinyModel.WriteTokenizer(_folder.FullName);
        _tokenizer = TextTokenizer.FromFolder(_folder.FullName);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void All_Windows_GivesEveryTokenThatIsNotSpecialInReadingOrder()
    {
        var windows = Windows(new RetentionCorpus("a", ["ab", "x<unk>y"]));

        var positions = MaskedPositions.All(windows, _tokenizer).OfCorpus[0];

        Assert.Equal([new(0, 1), new(0, 2), new(1, 1), new(1, 3)], positions);
        Assert.Equal(windows.TokenCount, positions.Count);
    }

    [Fact]
    public void Sample_Seed_DrawsTheSameWithoutReplacementAndAnotherDrawsOthers()
    {
        var windows = Windows(new RetentionCorpus("a", [new string('a', 500)]));

        var (one, again, other) = (Sample(windows, 100, 1), Sample(windows, 100, 1), Sample(windows, 100, 2));

        Assert.Equal(one.OfCorpus[0], again.OfCorpus[0]);
        Assert.NotEqual(one.OfCorpus[0], other.OfCorpus[0]);
        Assert.Equal(100, one.OfCorpus[0].Distinct().Count());
        Assert.Subset(MaskedPositions.All(windows, _tokenizer).OfCorpus[0].ToHashSet(), one.OfCorpus[0].ToHashSet());
    }

    [Fact]
    public void Sample_ManySeeds_DrawsEveryTokenEquallyOften()
    {
        var windows = Windows(new RetentionCorpus("a", [new string('a', 40)]));
        const int Seeds = 600;

        var counts = Enumerable.Range(0, Seeds).SelectMany(seed => Sample(windows, 10, seed).OfCorpus[0]).CountBy(position => position).ToDictionary();

        // Binomial with p = 1/4: mean 150, standard deviation 10.6; six of those for 40 tokens.
        Assert.Equal(40, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 150 - 64, 150 + 64));
    }

    [Theory]
    [InlineData(100, 0.8, 0.1, 0.1, new[] { 80, 10, 10 })]
    [InlineData(101, 0.5, 0.25, 0.25, new[] { 51, 25, 25 })]
    [InlineData(400, 0.8, 0.1, 0.1, new[] { 200, 100, 100 })]          // the first has only 200 tokens
    [InlineData(20, 0.98, 0.01, 0.01, new[] { 16, 2, 2 })]
    [InlineData(5000, 0.8, 0.1, 0.1, new[] { 200, 300, 500 })]
    public void Sample_SeveralCorpora_SharesByWeightAndTakesSmallOnesWhole(int count, double first, double second, double third, int[] expected)
    {
        var windows = Windows(
            new RetentionCorpus("a", [new string('a', 200)], first), new("b", [new string('b', 300)], second), new("c", [new string('c', 500)], third));

        Assert.Equal(expected, Sample(windows, count, 1).OfCorpus.Select(corpus => corpus.Count));
    }

    [Fact]
    public void Sample_TooFewForTheCorpora_IsRefused()
    {
        var windows = Windows(new("a", ["text"]), new("b", ["text"]));

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Sample(windows, 3, 1));

        Assert.Contains("3 positions are too few for 2 corpora; use 4 or more", error.Message, StringComparison.Ordinal);
    }

    private MaskedPositions Sample(RetentionWindows windows, int count, int seed) => MaskedPositions.Sample(windows, _tokenizer, count, seed);

    private RetentionWindows Windows(params RetentionCorpus[] corpora) => RetentionWindows.Tokenize(corpora, _tokenizer, 32);
}

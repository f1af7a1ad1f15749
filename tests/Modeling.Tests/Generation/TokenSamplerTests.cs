namespace MLNetLoRA.Modeling.Tests.Generation;

public class TokenSamplerTests
{
    private static readonly HashSet<int> Nothing = [];

    [Fact]
    public void Choose_AtTemperatureZero_IsTheLargestAndOfEqualsTheFirst()
    {
        Assert.Equal(2, Choose(new GenerationOptions(), [0, 1, 3, 3, -1]));
        Assert.Equal(0, Choose(new GenerationOptions(), [5]));
    }

    [Fact]
    public void Choose_RepetitionPenalty_DividesPositiveAndMultipliesNegativeLogitsOfSeenTokens()
    {
        var options = new GenerationOptions { RepetitionPenalty = 2 };

        // 3 / 2 < 2; -1 · 2 < -1.5.
        Assert.Equal(1, new TokenSampler(options, 0).Choose([3f, 2f], new HashSet<int> { 0 }));
        Assert.Equal(1, new TokenSampler(options, 0).Choose([-1f, -1.5f], new HashSet<int> { 0 }));
        Assert.Equal(0, new TokenSampler(options, 0).Choose([5f, 2f], new HashSet<int> { 0 }));
    }

    [Fact]
    public void Choose_AtTemperatureOne_FollowsTheSoftmax()
    {
        // Logits ln 1, ln 2, ln 5: shares 1/8, 2/8, 5/8.
        var shares = Shares(new GenerationOptions { Temperature = 1 }, [0f, MathF.Log(2), MathF.Log(5)]);

        Assert.Equal(0.125, shares[0], 0.02);
        Assert.Equal(0.25, shares[1], 0.02);
        Assert.Equal(0.625, shares[2], 0.02);
    }

    [Fact]
    public void Choose_AtTemperatureOneHalf_SquaresTheOdds()
    {
        // 1 : 4 : 25.
        var shares = Shares(new GenerationOptions { Temperature = 0.5 }, [0f, MathF.Log(2), MathF.Log(5)]);

        Assert.Equal(1 / 30.0, shares[0], 0.02);
        Assert.Equal(25 / 30.0, shares[2], 0.02);
    }

    [Fact]
    public void Choose_TopK_LeavesTheKMostProbableInProportion()
    {
        var shares = Shares(new GenerationOptions { Temperature = 1, TopK = 2 }, [0f, MathF.Log(2), MathF.Log(6)]);

        Assert.Equal(0, shares[0]);
        Assert.Equal(0.25, shares[1], 0.02);
        Assert.Equal(0.75, shares[2], 0.02);
    }

    [Theory]
    [InlineData(0.6, 1)]        // 5/8 is enough
    [InlineData(0.7, 2)]        // 5/8 + 2/8
    [InlineData(0.9, 3)]
    public void Choose_TopP_LeavesAsFewAsHaveTheShareTogether(double topP, int kept)
    {
        var shares = Shares(new GenerationOptions { Temperature = 1, TopP = topP }, [0f, MathF.Log(2), MathF.Log(5)]);

        Assert.Equal(kept, shares.Count(share => share > 0));
    }

    [Fact]
    public void Choose_SameSeed_DrawsTheSameAndAnotherSeedOthers()
    {
        Assert.Equal(Draws(1), Draws(1));
        Assert.NotEqual(Draws(1), Draws(2));

        static int[] Draws(int seed)
        {
            var sampler = new TokenSampler(new GenerationOptions { Temperature = 1 }, seed);
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Choose(new float[10], Nothing))];
        }
    }

    [Fact]
    public void Choose_LogitThatIsNoNumber_IsRefused() =>
        Assert.Contains("not numbers", Assert.Throws<InvalidDataException>(() => Choose(new GenerationOptions(), [0, float.NaN])).Message, StringComparison.Ordinal);

    private static int Choose(GenerationOptions options, float[] logits) => new TokenSampler(options, 0).Choose(logits, Nothing);

    private static double[] Shares(GenerationOptions options, float[] logits)
    {
        const int Draws = 4000;
        var sampler = new TokenSampler(options, 7);
        var counts = new double[logits.Length];
        for (var draw = 0; draw < Draws; draw++) counts[sampler.Choose([.. logits], Nothing)]++;
        return [.. counts.Select(count => count / Draws)];
    }
}

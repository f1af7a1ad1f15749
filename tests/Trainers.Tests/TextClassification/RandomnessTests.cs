using Microsoft.ML;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>One generator per fit: repeatable, and deaf and dumb to the rest of the process.</summary>
[Collection(ProcessWide.Name)]
public class RandomnessTests
{
    private static TextClassificationOptions Random => CapitalTask.Options with
    {
        MaxEpochs = 2, Dropout = 0.2, Lora = new LoraOptions { Rank = 2, Dropout = 0.3 }, ValidationFraction = 0.2,
    };

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_WithOneSeed_RepeatsToTheBit(FineTuningMethod method)
    {
        var first = ScoresOf(method, Random);

        Assert.Equal(first, ScoresOf(method, Random));
        Assert.NotEqual(first, ScoresOf(method, Random with { Seed = 6 }));
    }

    [Fact]
    public void Fit_WithTheContextsSeed_RepeatsInAnotherContextAndInASecondFit()
    {
        var options = Random with { Seed = null };
        var ml = new MLContext(9);
        var trainer = CapitalTask.Trainer(ml, options: options);
        var data = CapitalTask.Keyed(ml, CapitalTask.Rows(64));
        using var first = trainer.Fit(data);
        using var again = trainer.Fit(data);
        using var elsewhere = CapitalTask.Trainer(new MLContext(9), options: options).Fit(data);
        using var otherSeed = CapitalTask.Trainer(new MLContext(10), options: options).Fit(data);
        var rows = CapitalTask.Rows(5);

        var expected = CapitalTask.Scores(first, rows);
        Assert.Equal(expected, CapitalTask.Scores(again, rows));
        Assert.Equal(expected, CapitalTask.Scores(elsewhere, rows));
        Assert.NotEqual(expected, CapitalTask.Scores(otherSeed, rows));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_BetweenTwoGlobalDraws_ChangesNothingGlobal(FineTuningMethod method)
    {
        using var scope = NewDisposeScope();
        var state = get_rng_state();
        var expected = rand(4, device: CPU).data<float>().ToArray();
        set_rng_state(state);
        var threads = get_num_threads();

        ScoresOf(method, Random);

        Assert.Equal(expected, rand(4, device: CPU).data<float>().ToArray());
        Assert.Equal(threads, get_num_threads());
    }

    [Fact]
    public async Task Fit_TwoAtOnce_ReproduceTheirSoloOutcomes()
    {
        var lora = ScoresOf(FineTuningMethod.Lora, Random);
        var full = ScoresOf(FineTuningMethod.Full, Random with { Seed = 8 });

        var both = await Task.WhenAll(
            Task.Run(() => ScoresOf(FineTuningMethod.Lora, Random), TestContext.Current.CancellationToken),
            Task.Run(() => ScoresOf(FineTuningMethod.Full, Random with { Seed = 8 }), TestContext.Current.CancellationToken));

        Assert.Equal(lora, both[0]);
        Assert.Equal(full, both[1]);
    }

    [Fact]
    public void Fit_LeavesTheOptionsAsTheyWere()
    {
        var options = Random;
        var copy = options with { };

        ScoresOf(FineTuningMethod.Lora, options);

        Assert.Equal(copy, options);
    }

    private static float[][] ScoresOf(FineTuningMethod method, TextClassificationOptions options)
    {
        using var model = CapitalTask.Fit(method, options);
        return CapitalTask.Scores(model, CapitalTask.Rows(6, seed: 2));
    }
}

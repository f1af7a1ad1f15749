using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers.Tests.TextClassification;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.MaskedLanguageModeling;

public class MaskedLanguageModelTaskTests : IDisposable
{
    private const double Share = 0.15;
    private static readonly WindowGuessing Masks = new(Share, CausalShare: 0, WholeWords: false);
    private static readonly PretrainedModel Model = CapitalTask.Base;
    private static readonly TextTokenizer Tokenizer = Model.Tokenizer;

    private readonly FitRandomness _randomness = new(1);
    private readonly Generator _generator = new(2, CPU);
    private readonly MaskedLanguageModel _network;

    public MaskedLanguageModelTaskTests()
    {
        var source = new ParameterSource(new Dictionary<string, Tensor>(), CPU, _ => true, _randomness.Generator);
        _network = new MaskedLanguageModel(new NetworkContext(Model.Config, new PlainProjections(), _randomness.Dropout), source);
    }

    public void Dispose()
    {
        _network.Dispose();
        _generator.Dispose();
        _randomness.Dispose();
    }

    [Fact]
    public void Mask_ChoosesTheShareOfEachWindowExactly_AndNeverASpecialToken()
    {
        var windows = Windows(200, separatorEvery: 7);
        var task = Task(windows);

        var (masked, positions, labels, _) = task.Mask(windows, _generator);

        var longest = windows.Max(window => window.Ids.Length);
        var byWindow = positions.CountBy(position => position / longest).ToDictionary(count => (int)count.Key, count => count.Value);
        foreach (var (w, window) in windows.Index())
        {
            var guessable = window.Ids.Count(id => !Tokenizer.IsSpecial(id));
            Assert.Equal((int)Math.Round(Share * guessable), byWindow[w]);
        }
        foreach (var (position, label) in positions.Zip(labels))
        {
            var original = windows[position / longest].Ids[position % longest];
            Assert.Equal(original, label);
            Assert.False(Tokenizer.IsSpecial(original));
        }
        Assert.Equal(positions.Length, positions.Distinct().Count());

        // What was not chosen stays as it was.
        var chosen = positions.ToHashSet();
        foreach (var (w, window) in windows.Index())
            foreach (var (t, id) in window.Ids.Index())
                if (!chosen.Contains(w * longest + t)) Assert.Equal(id, masked[w].Ids[t]);
        Assert.Equal(positions.Length, task.WeightOf([.. Enumerable.Range(0, windows.Length)]));
    }

    [Fact]
    public void Mask_OfChosenTokens_EightyPercentMaskTenRandomTenKept()
    {
        var windows = Windows(2000, separatorEvery: int.MaxValue);
        var (masked, positions, labels, _) = Task(windows).Mask(windows, _generator);

        var longest = windows.Max(window => window.Ids.Length);
        var found = positions.Select(position => masked[position / longest].Ids[position % longest]).ToArray();
        var n = (double)found.Length;
        var becameMask = found.Count(id => id == Tokenizer.MaskId) / n;
        var kept = found.Zip(labels).Count(pair => pair.First == pair.Second) / n;
        // Four standard deviations of a binomial share; a random token may be the mask or the old one by chance, hence the 0.1 / 261.
        AssertShare(0.8 + 0.1 / 261, becameMask, n);
        AssertShare(0.1 + 0.1 / 261, kept, n);
        AssertShare(0.1 - 0.2 / 261, found.Zip(labels).Count(pair => pair.First != pair.Second && pair.First != Tokenizer.MaskId) / n, n);
        // Random tokens come from the whole vocabulary.
        Assert.True(found.Where(id => id != Tokenizer.MaskId).Distinct().Count() > 200);

        static void AssertShare(double expected, double actual, double n) =>
            Assert.Equal(expected, actual, 4 * Math.Sqrt(expected * (1 - expected) / n));
    }

    [Fact]
    public void Mask_ASecondTime_ChoosesOthers()
    {
        var windows = Windows(20, separatorEvery: int.MaxValue);
        var task = Task(windows);

        Assert.NotEqual(task.Mask(windows, _generator).Positions, task.Mask(windows, _generator).Positions);
    }

    [Fact]
    public void Validate_Again_GivesTheSameLossWhateverTrainingDrew()
    {
        var task = Task(Windows(9, separatorEvery: 5));
        var first = task.Validate(() => { });
        task.SummedLoss([0, 1, 2]).Dispose();

        Assert.Equal(first, task.Validate(() => { }));
        Assert.Null(first!.Accuracy);
    }

    [Fact]
    public void MeanLoss_OfAnUntrainedModelWithSmallWeights_IsNearTheVocabularysEntropy()
    {
        // Weights drawn at 0.15 speak; at 0.001 every token is as likely as any other: ln 261.
        var source = new ParameterSource(new Dictionary<string, Tensor>(), CPU, _ => true, _randomness.Generator);
        var context = new NetworkContext(Model.Config with { InitializerRange = 1e-3 }, new PlainProjections(), null);
        using var network = new MaskedLanguageModel(context, source);
        var task = new MaskedLanguageModelTask(network, Model, [], [], Masks, 4, _randomness, CPU);

        var (loss, tokens) = task.MeanLoss(Windows(10, separatorEvery: int.MaxValue), () => { });

        Assert.Equal(Math.Log(261), loss, 0.01);
        Assert.Equal(10 * (int)Math.Round(Share * 40), tokens);
    }

    private MaskedLanguageModelTask Task(EncodedText[] windows) => Task(windows, Masks);

    private MaskedLanguageModelTask Task(EncodedText[] windows, WindowGuessing guessing) => new(_network, Model, windows, windows, guessing, 4, _randomness, CPU);

    private static EncodedText[] Windows(int count, int separatorEvery) => [.. Enumerable.Range(0, count).Select(w => new EncodedText(
        [Tokenizer.ClassifyId, .. Enumerable.Range(0, 40 - (separatorEvery < 40 ? w % 5 : 0)).Select(t => t % separatorEvery == separatorEvery - 1 ? Tokenizer.SeparatorId : 4 + (w + t * 7) % 250), Tokenizer.SeparatorId],
        null, WasTruncated: false))];
}

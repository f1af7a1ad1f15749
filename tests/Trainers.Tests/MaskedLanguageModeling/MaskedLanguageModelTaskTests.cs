using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
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

    [Fact]
    public void SummedLoss_WithBagOfWords_AddsTheWordsGuessedFromTheFirstToken()
    {
        // Two windows of two distinct words each, one repeated; all else equal, the difference is the second task's loss.
        EncodedText[] windows = [Window(9, 10, 9, 9), Window(11, 12, 12, 11)];
        var share = 0.25;                                                            // one masked token a window
        using var scope = NewDisposeScope();
        _network.train();
        double Loss(double weight)
        {
            using var randomness = new FitRandomness(3);
            var guessing = new WindowGuessing(share, CausalShare: 0, WholeWords: false) { BagOfWordsWeight = weight };
            return new MaskedLanguageModelTask(_network, Model, windows, [], guessing, 2, randomness, CPU).SummedLoss([0, 1]).item<float>();
        }

        var difference = Loss(0.5) - Loss(0);

        using var randomness = new FitRandomness(3);
        var plain = new MaskedLanguageModelTask(
            _network, Model, windows, [], new WindowGuessing(share, CausalShare: 0, WholeWords: false), 2, randomness, CPU);
        var masked = plain.Mask(windows, randomness.Generator);
        using var batch = TokenBatch.Create(masked.Windows, Model.Config, CPU);
        var logits = _network.forward(batch).select(1, 0).to(float64);               // (windows, vocabulary), of the first token
        var logProbabilities = (logits - logits.exp().sum(1, keepdim: true).log()).data<double>().ToArray();
        double LogProbability(int window, int word) => logProbabilities[window * Model.Config.VocabularySize + word];
        var expected = -(LogProbability(0, 9) + LogProbability(0, 10)) / 2 - (LogProbability(1, 11) + LogProbability(1, 12)) / 2;
        Assert.Equal(0.5 * expected, difference, 1e-4);
    }

    [Fact]
    public void Validate_WithBagOfWords_JudgesMaskedTokensAlone()
    {
        var windows = Windows(9, separatorEvery: 5);

        var with = Task(windows, Masks with { BagOfWordsWeight = 2 }).Validate(() => { });

        Assert.Equal(Task(windows).Validate(() => { }), with);
    }

    [Fact]
    public void SummedLoss_OfCausalWindows_IsThatOfOneTokenAfterTheOtherInFloat64()
    {
        var windows = Windows(3, separatorEvery: 7);
        using var scope = NewDisposeScope();
        var reference = new CausalReference(_network, Model.Config);

        var loss = Task(windows, Causal(1)).SummedLoss([0, 1, 2]).item<float>();

        var expected = windows.Sum(window => reference.SummedLoss(window.Ids, Tokenizer.IsSpecial));
        Assert.Equal(1, loss / expected, 1e-5);
    }

    [Fact]
    public void HiddenState_OfACausalBatch_DoesNotDependOnWhatFollows()
    {
        var window = Windows(1, separatorEvery: int.MaxValue)[0];
        var changed = window with { Ids = [.. window.Ids[..20], .. window.Ids[20..].Select(id => id == 9 ? 10 : 9)] };
        using var scope = NewDisposeScope();

        AssertSamePrefix(isCausal: true, expected: true);
        AssertSamePrefix(isCausal: false, expected: false);

        void AssertSamePrefix(bool isCausal, bool expected)
        {
            var (one, other) = (Hidden(window, isCausal), Hidden(changed, isCausal));
            Assert.Equal(expected, one[..(20 * Model.Config.HiddenSize)].SequenceEqual(other[..(20 * Model.Config.HiddenSize)]));
            Assert.NotEqual(one[(20 * Model.Config.HiddenSize)..], other[(20 * Model.Config.HiddenSize)..]);
        }

        float[] Hidden(EncodedText row, bool isCausal)
        {
            using var batch = TokenBatch.Create([row], Model.Config, CPU, isCausal);
            _network.eval();
            return [.. _network.ForwardWithHiddenState(batch).LastHiddenState.data<float>()];
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(1)]
    public void WeightOf_AnyCausalShare_IsTheNumberOfTokensThatSummedLossSums(double share)
    {
        // With no weights at all every guess costs ln 261: the summed loss counts the guesses.
        foreach (var parameter in _network.parameters())
        {
            using var _ = no_grad();
            parameter.zero_();
        }
        var windows = Windows(7, separatorEvery: 6);
        var task = Task(windows, Causal(share));
        int[] rows = [3, 0, 6, 2, 5, 1];                     // a pass of four and one of two
        using var scope = NewDisposeScope();

        var counted = (task.SummedLoss(rows.AsSpan(0, 4)) + task.SummedLoss(rows.AsSpan(4))).item<float>() / Math.Log(261);

        Assert.Equal(task.WeightOf(rows), counted, 1e-2);
        int[] causal = share switch { 0 => [], 1 => rows, _ => [3, 0, 5] };
        Assert.Equal(
            causal.Sum(Guessable) + rows.Except(causal).Sum(row => (int)Math.Round(Share * Guessable(row))),
            task.WeightOf(rows));

        int Guessable(int row) => windows[row].Ids.Count(id => !Tokenizer.IsSpecial(id));
    }

    [Fact]
    public void Mask_OfWholeWords_HidesAllOfAWordOrNothing()
    {
        var windows = Words();
        var (masked, positions, labels, weights) = Task(windows, Words(0.3)).Mask(windows, _generator);

        var longest = windows.Max(window => window.Ids.Length);
        var chosen = positions.ToHashSet();
        foreach (var (w, window) in windows.Index())
        {
            var words = WordsOf(window.Ids);
            Assert.All(words, word => Assert.Single(word.Select(t => chosen.Contains(w * longest + t)).Distinct()));
            // Nothing but whole words, and as many tokens as fit: one more word would be too many.
            var taken = words.Where(word => chosen.Contains(w * longest + word[0])).ToList();
            var count = (int)Math.Round(0.3 * words.Sum(word => word.Length));
            Assert.InRange(taken.Sum(word => word.Length), 1, count);
            Assert.All(words.Except(taken), word => Assert.True(taken.Sum(each => each.Length) + word.Length > count));
            Assert.Equal(count, positions.Zip(weights).Where(pair => pair.First / longest == w).Sum(pair => pair.Second), 1e-3);
        }
        foreach (var (position, label) in positions.Zip(labels)) Assert.Equal(windows[position / longest].Ids[position % longest], label);
        // Words of several tokens are among them, and single tokens of such words are not.
        Assert.Contains(windows.SelectMany(window => WordsOf(window.Ids)), word => word.Length > 2);
    }

    [Fact]
    public void Mask_OfWordsLongerThanTheShare_StillHidesOne()
    {
        var window = new EncodedText([Tokenizer.ClassifyId, .. Tokenizer.EncodeRaw("incomprehensible"), Tokenizer.SeparatorId], null, WasTruncated: false);

        var (_, positions, _, weights) = Task([window], Words(0.15)).Mask([window], _generator);

        Assert.Equal(16, positions.Length);
        Assert.Equal(Math.Round(0.15 * 16), weights.Sum(), 1e-4);
    }

    [Fact]
    public void SummedLoss_OfWholeWords_WeighsWhatWeightOfSays()
    {
        foreach (var parameter in _network.parameters())
        {
            using var _ = no_grad();
            parameter.zero_();
        }
        var windows = Words();
        var task = Task(windows, Words(0.3));
        using var scope = NewDisposeScope();

        Assert.Equal(task.WeightOf([0, 1, 2]), task.SummedLoss([0, 1, 2]).item<float>() / Math.Log(261), 1e-2);
    }

    private static WindowGuessing Causal(double share) => new(Share, share, WholeWords: false);

    private static WindowGuessing Words(double share) => new(share, CausalShare: 0, WholeWords: true);

    private static EncodedText[] Words() =>
    [
        .. ((string[])["the quick brown fox jumps over the lazy dog", "a bc def ghij klmno", "one</s>two three four"])
            .Select(text => new EncodedText([Tokenizer.ClassifyId, .. Tokenizer.EncodeRaw(text), Tokenizer.SeparatorId], null, WasTruncated: false)),
    ];

    // From the text, not from the tokenizer: a blank or a special token ends a word; the blank belongs to the word behind it.
    private static List<int[]> WordsOf(int[] ids)
    {
        var words = new List<List<int>>();
        for (var t = 0; t < ids.Length; t++)
        {
            if (Tokenizer.IsSpecial(ids[t])) continue;
            var begins = t == 0 || Tokenizer.IsSpecial(ids[t - 1]) || Tokenizer.Decode([ids[t]]) == " ";
            if (begins) words.Add([]);
            words[^1].Add(t);
        }
        return words.ConvertAll(word => word.ToArray());
    }

    private MaskedLanguageModelTask Task(EncodedText[] windows) => Task(windows, Masks);

    private MaskedLanguageModelTask Task(EncodedText[] windows, WindowGuessing guessing) => new(_network, Model, windows, windows, guessing, 4, _randomness, CPU);

    private static EncodedText Window(params int[] ids) => new([Tokenizer.ClassifyId, .. ids, Tokenizer.SeparatorId], null, WasTruncated: false);

    private static EncodedText[] Windows(int count, int separatorEvery) => [.. Enumerable.Range(0, count).Select(w => new EncodedText(
        [Tokenizer.ClassifyId, .. Enumerable.Range(0, 40 - (separatorEvery < 40 ? w % 5 : 0)).Select(t => t % separatorEvery == separatorEvery - 1 ? Tokenizer.SeparatorId : 4 + (w + t * 7) % 250), Tokenizer.SeparatorId],
        null, WasTruncated: false))];
}

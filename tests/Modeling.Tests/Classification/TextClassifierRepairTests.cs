using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Classification;

/// <summary>Other factors and whole matrices in the place of those that fine-tuning made.</summary>
[Collection(ProcessWide.Name)]
public sealed class TextClassifierRepairTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;
    private readonly EncodedText[] _texts;
    private readonly Dictionary<string, LoraFactors> _corrections = new()
    {
        [TinyClassifier.Query] = TinyClassifier.Correction(32, 32, 2, seed: 4), [TinyClassifier.Output] = TinyClassifier.Correction(32, 64, 1, seed: 5),
    };

    public TextClassifierRepairTests()
    {
        _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        _texts = [.. new[] { "a", "a longer text" }.Select(text => _model.Tokenizer.Encode(text, null, 32))];
    }

    public void Dispose()
    {
        foreach (var factors in _corrections.Values) factors.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WithDownFactors_TheSameOnes_ScoresToTheBitAndSaysWhatItReplaced(bool isCorrected)
    {
        using var scope = NewDisposeScope();
        using var tuned = Create(isLora: true);
        using var corrected = isCorrected ? tuned.WithCorrections(_corrections) : null;
        var classifier = corrected ?? tuned;

        using var repaired = classifier.WithDownFactors(Downs(classifier, times: 1));

        Assert.Equal(classifier.Score(_texts), repaired.Score(_texts));
        Assert.Equal([$"{TinyClassifier.Query}.lora_A.weight", $"{TinyClassifier.Output}.lora_A.weight"], repaired.RepairedKeys);
        Assert.Empty(classifier.RepairedKeys);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WithDownFactors_Doubled_DoublesTheChangesAtTheirRanks(bool isCorrected)
    {
        using var scope = NewDisposeScope();
        using var tuned = Create(isLora: true);
        using var corrected = isCorrected ? tuned.WithCorrections(_corrections) : null;
        var classifier = corrected ?? tuned;

        using var repaired = classifier.WithDownFactors(Downs(classifier, times: 2));

        using var before = classifier.OpenChanges();
        using var after = repaired.OpenChanges();
        foreach (var name in before.Names)
        {
            using var one = before.Open(name, CPU);
            using var other = after.Open(name, CPU);
            var times = name is TinyClassifier.Query or TinyClassifier.Output ? 2 : 1;
            Assert.Equal(0, (Delta(one) * times - Delta(other)).abs().max().item<double>(), 1e-6);
            Assert.Equal(one.Change.A!.shape, other.Change.A!.shape);
        }
        using var adapter = repaired.ToAdapter();
        Assert.Equal(isCorrected ? 4 : 2, adapter.Factors[TinyClassifier.Query].Rank);
        Assert.NotEqual(classifier.Score(_texts), repaired.Score(_texts));
    }

    [Fact]
    public void WithDownFactors_ThenCorrections_ScoresAsTheOtherWayRound()
    {
        using var scope = NewDisposeScope();
        using var classifier = Create(isLora: true);
        using var repaired = classifier.WithDownFactors(Downs(classifier, times: 2));

        using var both = repaired.WithCorrections(_corrections);

        Assert.Equal(repaired.RepairedKeys, both.RepairedKeys);
        using var changes = both.OpenChanges();
        using var own = repaired.OpenChanges();
        using var sum = changes.Open(TinyClassifier.Query, CPU);
        using var one = own.Open(TinyClassifier.Query, CPU);
        var added = _corrections[TinyClassifier.Query];
        var expected = Delta(one) + added.B.to(float64).matmul(added.A.to(float64)) * added.Scale;
        Assert.Equal(0, (expected - Delta(sum)).abs().max().item<double>(), 1e-6);
    }

    [Fact]
    public void WithDownFactors_ThatDoNotFit_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var lora = Create(isLora: true);
        using var full = Create(isLora: false);
        var down = zeros([3, 32], dtype: float32, device: CPU);

        Assert.Contains("is (3, 32); (2, 32) was wanted", Refusal(lora, TinyClassifier.Query), StringComparison.Ordinal);
        Assert.Contains("'classifier.dense', which the classifier has no factors of", Refusal(lora, "classifier.dense"), StringComparison.Ordinal);
        Assert.Contains("which the classifier has no factors of", Refusal(full, TinyClassifier.Query), StringComparison.Ordinal);

        string Refusal(TextClassifier classifier, string name) =>
            Assert.Throws<InvalidDataException>(() => classifier.WithDownFactors(new Dictionary<string, Tensor> { [name] = down })).Message;
    }

    [Fact]
    public void WithShifts_OfAFullyTunedModel_AddsThemToTheMatrices()
    {
        using var scope = NewDisposeScope();
        using var classifier = Create(isLora: false);
        using var corrected = classifier.WithCorrections(_corrections);
        var shift = ones([32, 32], dtype: bfloat16, device: CPU);

        using var repaired = corrected.WithShifts(new Dictionary<string, Tensor> { [TinyClassifier.Query] = shift });

        var key = $"{TinyClassifier.Query}.weight";
        Assert.Equal(classifier.Tuned[key].data<float>().Select(value => value + 1f).ToArray(), repaired.Tuned[key].data<float>().ToArray());
        Assert.Equal([key], repaired.RepairedKeys);
        Assert.Equal(corrected.Corrections.Keys, repaired.Corrections.Keys);
        Assert.NotEqual(corrected.Score(_texts), repaired.Score(_texts));
        // The others are one memory.
        using (no_grad()) classifier.Tuned[$"{TinyClassifier.Output}.weight"].zero_();
        Assert.Equal(0, repaired.Tuned[$"{TinyClassifier.Output}.weight"].abs().sum().item<float>());
    }

    [Fact]
    public void WithShifts_ThatDoNotFit_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var lora = Create(isLora: true);
        using var full = Create(isLora: false);
        var shift = new Dictionary<string, Tensor> { [TinyClassifier.Query] = zeros([32, 31], dtype: float32, device: CPU) };

        Assert.Contains("is (32, 31); (32, 32) was wanted", Assert.Throws<InvalidDataException>(() => full.WithShifts(shift)).Message, StringComparison.Ordinal);
        Assert.Contains("fine-tuned with LoRA", Assert.Throws<InvalidOperationException>(() => lora.WithShifts(shift)).Message, StringComparison.Ordinal);
        var unknown = new Dictionary<string, Tensor> { ["classifier.dense"] = shift[TinyClassifier.Query] };
        Assert.Contains("which is no fine-tuned matrix of the encoder", Assert.Throws<InvalidDataException>(() => full.WithShifts(unknown)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Repaired_Disposed_LeavesNothingButWhatTheFirstHas(bool isLora)
    {
        using var classifier = Create(isLora);
        using var corrected = classifier.WithCorrections(_corrections);
        using var scope = NewDisposeScope();
        var downs = isLora ? Downs(corrected, times: 2) : [];
        var shifts = new Dictionary<string, Tensor> { [TinyClassifier.Query] = ones([32, 32], dtype: bfloat16, device: CPU) };
        var expected = corrected.Score(_texts);
        // Each Parameter ever made stays in TorchSharp's count.
        var parameters = ParameterCount(corrected);
        var before = LiveTensors.Settled();

        Repair().Dispose();

        Assert.Equal(before + parameters, LiveTensors.Now);
        Assert.Equal(expected, corrected.Score(_texts));

        TextClassifier Repair() => isLora ? corrected.WithDownFactors(downs) : corrected.WithShifts(shifts);
    }

    private TextClassifier Create(bool isLora) => TinyClassifier.Create(_model, isLora ? TinyClassifier.Lora : null);

    private int ParameterCount(TextClassifier classifier)
    {
        var before = LiveTensors.Settled();
        classifier.WithCorrections(new Dictionary<string, LoraFactors>()).Dispose();
        return (int)(LiveTensors.Now - before);
    }

    private static Dictionary<string, Tensor> Downs(TextClassifier classifier, int times)
    {
        using var changes = classifier.OpenChanges();
        return ((string[])[TinyClassifier.Query, TinyClassifier.Output]).ToDictionary(name => name, name =>
        {
            using var owned = changes.Open(name, CPU);
            return owned.Change.A! * times;
        });
    }

    private static Tensor Delta(OwnedWeightChange owned) => owned.Change.B!.to(float64).matmul(owned.Change.A!.to(float64)) * owned.Change.Scale;
}

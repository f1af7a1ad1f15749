using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Classification;

/// <summary>Corrections beside the weights of a classifier, its changes, and its adapter.</summary>
[Collection(ProcessWide.Name)]
public sealed class TextClassifierCorrectionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;
    private readonly EncodedText[] _texts;
    private readonly Dictionary<string, LoraFactors> _corrections = new()
    {
        [TinyClassifier.Query] = TinyClassifier.Correction(32, 32, 2, seed: 4), [TinyClassifier.Output] = TinyClassifier.Correction(32, 64, 1, seed: 5),
    };

    public TextClassifierCorrectionTests()
    {
        _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        _texts = [.. new[] { "a", "a longer text" }.Select(text => _model.Tokenizer.Encode(text, null, 32))];
    }

    public void Dispose()
    {
        TinyClassifier.Free(_corrections);
        _folder.Dispose();
    }

    public static TheoryData<bool> Methods => [true, false];

    [Theory]
    [MemberData(nameof(Methods))]
    public void WithCorrections_AnyMethod_ScoresAsANetworkOfWholeMatrices(bool isLora)
    {
        using var classifier = Create(isLora);
        using var corrected = classifier.WithCorrections(_corrections);

        AssertClose(Dense(classifier, _corrections, times: 1), corrected.Score(_texts));
        Assert.NotEqual(classifier.Score(_texts), corrected.Score(_texts));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void WithCorrections_Twice_AddsBoth(bool isLora)
    {
        using var classifier = Create(isLora);
        using var once = classifier.WithCorrections(_corrections);
        using var twice = once.WithCorrections(new Dictionary<string, LoraFactors> { [TinyClassifier.Query] = _corrections[TinyClassifier.Query], });
        using var both = once.WithCorrections(_corrections);

        AssertClose(Dense(classifier, _corrections, times: 2), both.Score(_texts));
        Assert.Equal((4, 1), (twice.Corrections[TinyClassifier.Query].Rank, twice.Corrections[TinyClassifier.Output].Rank));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void WithCorrections_TheFirstDisposed_GoesOnOverTheSameWeights(bool isLora)
    {
        var classifier = Create(isLora);
        using var corrected = classifier.WithCorrections(_corrections);
        var expected = corrected.Score(_texts);
        if (isLora)
        {
            using var _ = no_grad();
            var key = $"{TinyClassifier.Query}.lora_B.weight";
            classifier.Tuned[key].mul_(2);
            Assert.Equal(classifier.Tuned[key].data<float>().ToArray(), corrected.Tuned[key].data<float>().ToArray());      // one memory
            classifier.Tuned[key].div_(2);
        }
        Assert.Equal(isLora ? 1 : 0, SharedWeights.HeldCount);

        classifier.Dispose();

        Assert.Equal(expected, corrected.Score(_texts));
        corrected.Dispose();
        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.Equal(2, _corrections[TinyClassifier.Query].A.shape[0]);     // still the caller's
    }

    [Fact]
    public void WithCorrections_ThatDoNotFit_AreRefusedAndLeaveNothing()
    {
        using var classifier = Create(isLora: true);
        var wide = TinyClassifier.Correction(32, 33, 1, seed: 6);
        var before = LiveTensors.Settled();

        var unknown = Assert.Throws<InvalidDataException>(() => classifier.WithCorrections(new Dictionary<string, LoraFactors> { ["roberta.pooler"] = wide }));
        var misshapen = Assert.Throws<InvalidDataException>(() => classifier.WithCorrections(new Dictionary<string, LoraFactors> { [TinyClassifier.Query] = wide }));

        Assert.Contains("'roberta.pooler', which is no matrix of the encoder", unknown.Message, StringComparison.Ordinal);
        Assert.Contains("is A (1, 33), B (32, 1); a matrix of (32, 32) wants A (rank, 32), B (32, rank)", misshapen.Message, StringComparison.Ordinal);
        Assert.Equal(before, LiveTensors.Now);
        wide.Dispose();
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void OpenChanges_AnyMethod_GivesBaseAndChangeWithTheCorrections(bool isLora)
    {
        using var scope = NewDisposeScope();
        using var classifier = Create(isLora);
        using var corrected = classifier.WithCorrections(_corrections);
        using var changes = corrected.OpenChanges();
        using var share = SharedWeights.Acquire(_model, CPU);

        Assert.Equal(SequenceClassifier.Matrices(_model.Config).Select(matrix => matrix.Key).Order(NaturalOrder.Instance), changes.Names);
        foreach (var name in changes.Names)
        {
            using var owned = changes.Open(name, CPU);
            Assert.Equal(share.Tensors[$"{name}.weight"].data<float>().ToArray(), owned.Change.Base.data<float>().ToArray());
            Assert.Equal(isLora, owned.Change.IsLowRank);
            var tuned = owned.Change.Tuned?.to(ScalarType.Float64)
                ?? owned.Change.Base.to(ScalarType.Float64) + owned.Change.B!.to(ScalarType.Float64).matmul(owned.Change.A!.to(ScalarType.Float64)) * owned.Change.Scale;
            Assert.Equal(0, (tuned - Matrix(classifier, _corrections, name, 1)).abs().max().item<double>(), 1e-6);
        }
    }

    [Fact]
    public void OpenChanges_AfterTheClassifierIsDisposed_StillReads()
    {
        var classifier = Create(isLora: true);
        using var changes = classifier.OpenChanges();
        classifier.Dispose();

        using var owned = changes.Open(TinyClassifier.Query, CPU);

        Assert.True(owned.Change.B!.abs().sum().item<float>() > 0);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void OpenChanges_Skipped_GivesAReasonForTheRest(bool isLora)
    {
        using var classifier = Create(isLora);
        using var changes = classifier.OpenChanges();

        Assert.Contains("head", changes.Skipped["classifier.dense.weight"], StringComparison.Ordinal);
        Assert.Equal(!isLora, changes.Skipped.ContainsKey("roberta.embeddings.position_embeddings.weight"));
        Assert.Equal(!isLora, changes.Skipped.ContainsKey($"{TinyClassifier.Query}.bias"));
        Assert.DoesNotContain(changes.Names, name => changes.Skipped.ContainsKey($"{name}.weight"));
        Assert.Equal(classifier.Tuned.Count, changes.Skipped.Count + changes.Names.Count * (isLora ? 2 : 1));
        Assert.Contains("is none of the 12 matrices", Assert.Throws<ArgumentException>(() => changes.Open("classifier.dense", CPU)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OpenChanges_OfAnAdapterOnSomeMatrices_NamesThoseAndTheCorrectedOnes()
    {
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora with { TargetModules = ["query"] });
        using var corrected = classifier.WithCorrections(_corrections);
        using var changes = corrected.OpenChanges();

        Assert.Equal([TinyClassifier.Query, TinyClassifier.Query.Replace("layer.0", "layer.1", StringComparison.Ordinal), TinyClassifier.Output], changes.Names);
        using var owned = changes.Open(TinyClassifier.Output, CPU);
        Assert.Equal((1, 0.25), (owned.Change.A!.shape[0], owned.Change.Scale));
    }

    [Fact]
    public void OpenChanges_OfAChangedFolder_IsRefused()
    {
        using var classifier = Create(isLora: false);
        TinyCheckpoint.Write(_folder.FullName, seed: 9);

        Assert.Contains("has changed since it was first read", Assert.Throws<InvalidDataException>(() => classifier.OpenChanges()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void OpenChanges_OpenedAndDisposed_LeavesNothing(bool isLora)
    {
        using var classifier = Create(isLora);
        using var corrected = classifier.WithCorrections(_corrections);
        var before = LiveTensors.Settled();

        using (var changes = corrected.OpenChanges())
            foreach (var name in changes.Names) changes.Open(name, CPU).Dispose();

        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void ToAdapter_Corrected_HasTheSumOfBothInEachMatrix()
    {
        using var scope = NewDisposeScope();
        using var classifier = Create(isLora: true);
        using var corrected = classifier.WithCorrections(_corrections);
        using var share = SharedWeights.Acquire(_model, CPU);

        using var adapter = corrected.ToAdapter();

        Assert.Equal(12, adapter.Factors.Count);
        foreach (var (name, factors) in adapter.Factors)
        {
            var delta = factors.B.to(ScalarType.Float64).matmul(factors.A.to(ScalarType.Float64)) * factors.Scale;
            var expected = Matrix(classifier, _corrections, name, 1) - share.Tensors[$"{name}.weight"].to(ScalarType.Float64);
            Assert.Equal(0, (delta - expected).abs().max().item<double>(), 1e-6);
            Assert.Equal((2 + (_corrections.TryGetValue(name, out var added) ? added.Rank : 0), 1.5), (factors.Rank, factors.Scale));
        }
        Assert.Equal(["classifier.dense.bias", "classifier.dense.weight", "classifier.out_proj.bias", "classifier.out_proj.weight"], adapter.FullyTrained.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ToAdapter_AfterFullFineTuning_SaysWhyNot()
    {
        using var classifier = Create(isLora: false);
        Assert.Contains("fine-tuned in full", Assert.Throws<InvalidOperationException>(classifier.ToAdapter).Message, StringComparison.Ordinal);
    }

    private TextClassifier Create(bool isLora) => TinyClassifier.Create(_model, isLora ? TinyClassifier.Lora : null);

    // What the network should multiply by, in float64.
    private Tensor Matrix(TextClassifier classifier, Dictionary<string, LoraFactors> corrections, string name, int times)
    {
        Tensor matrix;
        if (classifier.Description.Lora is { } lora)
        {
            using var share = SharedWeights.Acquire(_model, CPU);
            matrix = share.Tensors[$"{name}.weight"].to(ScalarType.Float64)
                + Wide(classifier.Tuned[$"{name}.lora_B.weight"]).matmul(Wide(classifier.Tuned[$"{name}.lora_A.weight"])) * lora.Scaling;
        }
        else
        {
            matrix = Wide(classifier.Tuned[$"{name}.weight"]);
        }
        return corrections.TryGetValue(name, out var added) ? matrix + Wide(added.B).matmul(Wide(added.A)) * (added.Scale * times) : matrix;

        static Tensor Wide(Tensor tensor) => tensor.to(ScalarType.Float64);
    }

    private float[] Dense(TextClassifier classifier, Dictionary<string, LoraFactors> corrections, int times)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> weights;
        using (var share = SharedWeights.Acquire(_model, CPU))
            weights = share.Tensors.Concat(classifier.Tuned.Where(weight => !LoraProjections.IsAdapterKey(weight.Key)))
                .GroupBy(weight => weight.Key).ToDictionary(group => group.Key, group => group.Last().Value.clone().DetachFromDisposeScope());
        foreach (var (name, _) in SequenceClassifier.Matrices(_model.Config)) weights[$"{name}.weight"].copy_(Matrix(classifier, corrections, name, times));
        using var dense = new TextClassifier(classifier.Description with { Lora = null }, weights, CPU);
        return dense.Score(_texts);
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        foreach (var (i, value) in expected.Index()) Assert.Equal(value, actual[i], 1e-5);
    }
}

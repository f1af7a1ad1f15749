using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Classification;

/// <summary>Hidden states of every state of a model, and the fine-tuned encoder as a model of its own.</summary>
[Collection(ProcessWide.Name)]
public sealed class FrozenTrunkTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;
    private readonly EncodedText[] _texts;

    public FrozenTrunkTests()
    {
        _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        _texts = [.. new[] { "a longer text than the others", "b", "a pair" }.Select(text => _model.Tokenizer.Encode(text, null, 32))];
    }

    public void Dispose() => _folder.Dispose();

    public static TheoryData<bool, bool> States => new() { { true, false }, { true, true }, { false, false }, { false, true } };

    [Fact]
    public void FirstTokens_OfTheBase_AreTheNetworksOwnInTheOrderGiven()
    {
        using var trunk = FrozenTrunk.Of(_model, CPU);
        using var network = CheckpointNetwork.Open(_model, CPU);

        var vectors = trunk.FirstTokens(_texts, batchSize: 2, () => { });

        Assert.Equal(3 * 32, vectors.Length);
        foreach (var (row, text) in _texts.Index())
        {
            using var scope = NewDisposeScope();
            using var batch = TokenBatch.Create([text], _model.Config, CPU);
            var expected = network.Forward(batch).LastHiddenState[0, 0].data<float>().ToArray();
            AssertClose(expected, vectors[(row * 32)..((row + 1) * 32)]);
        }
    }

    [Fact]
    public void HiddenStates_AnyText_EndWithWhatTheEncoderGivesAndBeginBeforeTheFirstLayer()
    {
        using var scope = NewDisposeScope();
        using var trunk = FrozenTrunk.Of(_model, CPU);
        using var network = CheckpointNetwork.Open(_model, CPU);
        using var batch = TokenBatch.Create([_texts[0]], _model.Config, CPU);

        var states = trunk.HiddenStates(batch);

        Assert.Equal(3, states.Count);
        Assert.All(states, state => Assert.Equal(batch.InputIds.shape.Append(32), state.shape));
        AssertClose(network.Forward(batch).LastHiddenState.data<float>().ToArray(), states[^1].data<float>().ToArray());
        // The embedding of a token does not depend on its neighbours; what comes after attention does.
        using var other = TokenBatch.Create([_texts[0] with { Ids = [.. _texts[0].Ids[..^1], 7] }], _model.Config, CPU);
        var changed = trunk.HiddenStates(other);
        Assert.Equal(states[0][0, 0].data<float>().ToArray(), changed[0][0, 0].data<float>().ToArray());
        Assert.NotEqual(states[1][0, 0].data<float>().ToArray(), changed[1][0, 0].data<float>().ToArray());
    }

    [Theory]
    [MemberData(nameof(States))]
    public void Merge_AnyFineTuning_ReadsAsTheClassifierDoes(bool isLora, bool isCorrected)
    {
        using var classifier = TinyClassifier.Create(_model, isLora ? TinyClassifier.Lora : null);
        var corrections = new Dictionary<string, LoraFactors> { [TinyClassifier.Query] = TinyClassifier.Correction(32, 32, 2, seed: 4) };
        using var corrected = isCorrected ? classifier.WithCorrections(corrections) : null;
        var state = corrected ?? classifier;

        using var merged = state.Merge("after films");

        using var tuned = FrozenTrunk.Of(state);
        using var alone = FrozenTrunk.Of(merged.Model, CPU);
        using var untuned = FrozenTrunk.Of(_model, CPU);
        var expected = tuned.FirstTokens(_texts, 3, () => { });
        AssertClose(expected, alone.FirstTokens(_texts, 3, () => { }));
        Assert.True(Distance(expected, untuned.FirstTokens(_texts, 3, () => { })) > 0.1);
        Assert.Equal("after films", merged.Model.Name);
        TinyClassifier.Free(corrections);
    }

    [Fact]
    public void Merge_Lora_KeepsTheBasesLanguageModelHeadAndLeavesTheClassificationHeadBehind()
    {
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora);

        using var merged = classifier.Merge("after films");

        Assert.True(merged.Model.HasLanguageModelHead);
        Assert.Null(merged.Model.Contents.ClassificationHead);
        using var before = SharedWeights.Acquire(_model, CPU);
        using var after = SharedWeights.Acquire(merged.Model, CPU);
        var changed = before.Tensors.Keys.Where(key => !before.Tensors[key].Equals(after.Tensors[key]));
        Assert.Equal(before.Tensors.Keys.Order(StringComparer.Ordinal), after.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(
            SequenceClassifier.Matrices(_model.Config).Select(matrix => $"{matrix.Key}.weight").Order(StringComparer.Ordinal), changed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Merge_DivergedWeights_AreRefusedByName()
    {
        using var classifier = TinyClassifier.Create(_model, null);
        using (var _ = no_grad()) classifier.Tuned[$"{TinyClassifier.Query}.weight"].fill_(float.NaN);

        var refused = Assert.Throws<InvalidDataException>(() => classifier.Merge("broken"));

        Assert.Contains($"'{TinyClassifier.Query}.weight' holds values that are not finite", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_AModelWithoutWeights_IsRefused() =>
        Assert.Contains("no pretrained weights", Assert.Throws<InvalidOperationException>(
            () => FrozenTrunk.Of(_model.WithRandomWeights(), CPU)).Message, StringComparison.Ordinal);

    [Fact]
    public void FirstTokens_AndMerge_LeaveNoTensor()
    {
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora);
        var parameters = _model.Config.LayerCount * 16 + 5;
        var before = LiveTensors.Settled();

        using (var merged = classifier.Merge("after films"))
        using (var trunk = FrozenTrunk.Of(merged.Model, CPU)) trunk.FirstTokens(_texts, 2, () => { });

        // One stays in TorchSharp's count for each parameter of the trunk's encoder: see LiveTensors.
        Assert.Equal(before + parameters, LiveTensors.Now);
    }

    [Fact]
    public void ModelChanges_OfAMergedModel_AreTheClassifiersOwn()
    {
        using var scope = NewDisposeScope();
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora);
        using var merged = classifier.Merge("after films");
        using var expected = classifier.OpenChanges();

        using var changes = ModelChanges.Open(_model, merged.Model, CPU);

        Assert.Equal(expected.Names, changes.Names);
        foreach (var name in changes.Names)
        {
            using var wanted = expected.Open(name, CPU);
            using var found = changes.Open(name, CPU);
            var delta = wanted.Change.B!.matmul(wanted.Change.A!) * wanted.Change.Scale;
            Assert.Equal(0, (found.Change.Tuned! - found.Change.Base - delta).abs().max().item<float>(), 1e-5);
        }
    }

    [Fact]
    public void ModelChanges_OfAnotherArchitecture_AreRefused()
    {
        using var folder = new TemporaryFolder();
        var other = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName, change: config => config with { IntermediateSize = 48 }));

        Assert.Contains("different architectures", Assert.Throws<ArgumentException>(() => ModelChanges.Open(_model, other, CPU)).Message, StringComparison.Ordinal);
    }

    private static void AssertClose(float[] expected, float[] actual) => Assert.Equal(0, Distance(expected, actual), 1e-5);

    private static float Distance(float[] left, float[] right)
    {
        Assert.Equal(left.Length, right.Length);
        return left.Zip(right, (one, other) => Math.Abs(one - other)).Max();
    }
}

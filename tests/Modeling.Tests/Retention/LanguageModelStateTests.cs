using MLNetLoRA.Modeling.Tests.Classification;
using MLNetLoRA.Spectral;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Retention;

[Collection(ProcessWide.Name)]
public sealed class LanguageModelStateTests : IDisposable
{
    private const string Words = "roberta.embeddings.word_embeddings.weight";

    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _tuned = new();
    private readonly PretrainedModel _model;
    private readonly PseudoLoss _loss;
    private readonly RetentionWindows _windows;

    public LanguageModelStateTests()
    {
        _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        _windows = RetentionWindows.Tokenize([new("a", ["The fox runs through the snow.", "Another."])], _model.Tokenizer, 24);
        _loss = new PseudoLoss(_windows, MaskedPositions.All(_windows, _model.Tokenizer), 16);
    }

    public void Dispose()
    {
        _folder.Dispose();
        _tuned.Dispose();
    }

    public static TheoryData<bool> Methods => [true, false];

    [Theory]
    [MemberData(nameof(Methods))]
    public void OfClassifier_AnyMethod_IsTheBaseWithTheTunedMatricesUnderItsOwnHead(bool isLora)
    {
        using var classifier = TinyClassifier.Create(_model, isLora ? TinyClassifier.Lora : null);
        var corrections = new Dictionary<string, LoraFactors> { [TinyClassifier.Query] = TinyClassifier.Correction(32, 32, 2, seed: 4) };
        using var corrected = classifier.WithCorrections(corrections);

        using var state = LanguageModelState.OfClassifier(corrected, CPU);

        WriteTuned(corrected, keepWords: true);
        AssertClose(MaskedLoop.Losses(_tuned.FullName, _windows)[0], _loss.Of(state).OfCorpus[0]);
        Assert.Equal(!isLora, state.HasRetiedDecoder);
        TinyClassifier.Free(corrections);
    }

    [Fact]
    public void OfClassifier_TrainedEmbedding_IsAlsoReadWithItAsDecoder()
    {
        using var classifier = TinyClassifier.Create(_model, lora: null);

        using var state = LanguageModelState.OfClassifier(classifier, CPU);
        var found = _loss.Of(state);

        WriteTuned(classifier, keepWords: false);
        AssertClose(MaskedLoop.Losses(_tuned.FullName, _windows)[0], found.Retied![0]);
        Assert.NotEqual(found.OfCorpus[0], found.Retied[0]);
    }

    [Fact]
    public void OfClassifier_NothingChanged_HasTheLossesOfTheBaseToTheBit()
    {
        using var _ = no_grad();
        using var lora = TinyClassifier.Create(_model, TinyClassifier.Lora);
        using var full = TinyClassifier.Create(_model, lora: null);
        using (var share = SharedWeights.Acquire(_model, CPU))
        {
            foreach (var (key, tensor) in lora.Tuned)
                if (key.EndsWith("lora_B.weight", StringComparison.Ordinal)) tensor.zero_();
            foreach (var (key, tensor) in full.Tuned)
                if (share.Tensors.TryGetValue(key, out var before)) tensor.copy_(before);
        }
        using var untouched = LanguageModelState.OfBase(_model, CPU);
        var expected = _loss.Of(untouched).OfCorpus;

        foreach (var classifier in new[] { lora, full })
        {
            using var state = LanguageModelState.OfClassifier(classifier, CPU);
            Assert.Equal(expected, _loss.Of(state).OfCorpus);
            Assert.False(state.HasRetiedDecoder);
        }
    }

    [Fact]
    public void OfAdapter_WrittenByAClassifier_IsThatClassifier()
    {
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora);
        using (var adapter = classifier.ToAdapter()) PeftFolder.Write(_tuned.FullName, adapter, _model.Config, "tiny");
        using var expected = LanguageModelState.OfClassifier(classifier, CPU);

        using var state = LanguageModelState.OfAdapter(_model, _tuned.FullName, CPU);

        AssertClose(_loss.Of(expected).OfCorpus[0], _loss.Of(state).OfCorpus[0]);
    }

    [Fact]
    public void OfCheckpoint_FolderAndLoneFile_ReadTheEncoderAndNotTheHead()
    {
        using var classifier = TinyClassifier.Create(_model, lora: null);
        WriteTuned(classifier, keepWords: true, withHead: false);
        using var expected = LanguageModelState.OfClassifier(classifier, CPU);

        using var folder = LanguageModelState.OfCheckpoint(_model, _tuned.FullName, CPU);
        using var file = LanguageModelState.OfCheckpoint(_model, _tuned.File(Checkpoint.FileName), CPU);

        Assert.Equal(_loss.Of(expected).OfCorpus, _loss.Of(folder).OfCorpus);
        Assert.Equal(_loss.Of(expected).Retied, _loss.Of(file).Retied);
    }

    [Fact]
    public void WithCorrections_OfAState_AreThoseOfTheClassifier()
    {
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora);
        var corrections = new Dictionary<string, LoraFactors>
        {
            [TinyClassifier.Query] = TinyClassifier.Correction(32, 32, 2, seed: 4), [TinyClassifier.Output] = TinyClassifier.Correction(32, 64, 1, seed: 5),
        };
        using var corrected = classifier.WithCorrections(corrections);
        using var expected = LanguageModelState.OfClassifier(corrected, CPU);
        var state = LanguageModelState.OfClassifier(classifier, CPU);

        using var repaired = state.WithCorrections(corrections);
        state.Dispose();
        TinyClassifier.Free(corrections);

        AssertClose(_loss.Of(expected).OfCorpus[0], _loss.Of(repaired).OfCorpus[0]);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void OpenChanges_OfAState_AreThoseOfTheClassifier(bool isLora)
    {
        using var scope = NewDisposeScope();
        using var classifier = TinyClassifier.Create(_model, isLora ? TinyClassifier.Lora : null);
        var corrections = new Dictionary<string, LoraFactors> { [TinyClassifier.Query] = TinyClassifier.Correction(32, 32, 2, seed: 4) };
        using var corrected = classifier.WithCorrections(corrections);
        using var state = LanguageModelState.OfClassifier(corrected, CPU);

        using var expected = corrected.OpenChanges();
        using var found = state.OpenChanges();

        Assert.Equal(expected.Names, found.Names);
        foreach (var name in found.Names)
        {
            using var one = expected.Open(name, CPU);
            using var other = found.Open(name, CPU);
            Assert.Equal(isLora, other.Change.IsLowRank);
            Assert.Equal(0, (Delta(one.Change) - Delta(other.Change)).abs().max().item<double>(), 1e-6);
        }
        TinyClassifier.Free(corrections);

        static Tensor Delta(WeightChange change) => change.Tuned is { } tuned
            ? tuned.to(ScalarType.Float64) - change.Base.to(ScalarType.Float64)
            : change.B!.to(ScalarType.Float64).matmul(change.A!.to(ScalarType.Float64)) * change.Scale;
    }

    [Fact]
    public void Dispose_OfEveryState_LeavesNothing()
    {
        using var classifier = TinyClassifier.Create(_model, lora: null);
        using var share = SharedWeights.Acquire(_model, CPU);
        var before = LiveTensors.Settled();

        var parameters = 0;
        using (var state = LanguageModelState.OfClassifier(classifier, CPU))
        {
            // Two networks: one with the base's decoder, one with the tied.
            parameters = (2 * NetworkShapes.OfMaskedLanguageModel(_model.Config).Count) + 1;
            _loss.Of(state);
        }

        Assert.Equal(before + parameters, LiveTensors.Now);
    }

    [Fact]
    public void Open_WithoutALanguageModelHead_NamesTheAlternatives()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoint.Write(folder.FullName);
        Rewrite(folder.FullName, weights => weights.Where(weight => !weight.Key.StartsWith("lm_head", StringComparison.Ordinal)));

        var error = Assert.Throws<InvalidDataException>(() => LanguageModelState.OfBase(PretrainedModel.FromFolder(folder.FullName), CPU));
        var random = Assert.Throws<InvalidDataException>(() => LanguageModelState.OfBase(_model.WithRandomWeights(), CPU));

        Assert.Contains("has no masked-language-model head ('lm_head.dense.weight'", error.Message, StringComparison.Ordinal);
        Assert.Contains("retention tasks", error.Message, StringComparison.Ordinal);
        Assert.Contains("linear CKA", error.Message, StringComparison.Ordinal);
        Assert.Contains("no pretrained weights", random.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfCheckpoint_OfAnotherModel_IsRefusedWithAllThatDiffers()
    {
        TinyCheckpoint.Write(_tuned.FullName, change: config => config with { IntermediateSize = 48, HeadCount = 4 });
        _tuned.Write("vocab.json", File.ReadAllText(_tuned.File("vocab.json")).Replace("\"a\":", "\"aa\":", StringComparison.Ordinal));

        var message = Assert.Throws<InvalidDataException>(() => LanguageModelState.OfCheckpoint(_model, _tuned.FullName, CPU)).Message;

        Assert.Contains("Give the base that it was fine-tuned from", message, StringComparison.Ordinal);
        Assert.Contains("with another shape", message, StringComparison.Ordinal);
        Assert.Contains("4 attention heads, the base 2", message, StringComparison.Ordinal);
        Assert.Contains("the tokenizers differ: id 101 is 'a' in one and 'aa' in the other", message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfAdapter_OfAnotherModel_IsRefused()
    {
        using var other = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(other.FullName, change: config => config with { IntermediateSize = 48 }));
        using var classifier = TinyClassifier.Create(model, TinyClassifier.Lora);
        using (var adapter = classifier.ToAdapter()) PeftFolder.Write(_tuned.FullName, adapter, model.Config, "tiny");

        var message = Assert.Throws<InvalidDataException>(() => LanguageModelState.OfAdapter(_model, _tuned.FullName, CPU)).Message;

        Assert.Contains("the adapter was made for another base", message, StringComparison.Ordinal);
    }

    // The tuned encoder as whole matrices in a checkpoint of its own, with the base's head, and with the base's word embedding as an untied decoder.
    private void WriteTuned(TextClassifier classifier, bool keepWords, bool withHead = true)
    {
        using var scope = NewDisposeScope();
        using var changes = classifier.OpenChanges();
        TinyCheckpoint.Write(_tuned.FullName, change: config => config with { TieWordEmbeddings = !keepWords });
        Dictionary<string, Tensor> weights;
        using (var share = SharedWeights.Acquire(_model, CPU)) weights = share.Tensors.ToDictionary(weight => weight.Key, weight => weight.Value.clone());
        if (keepWords) weights["lm_head.decoder.weight"] = weights[Words].clone();
        foreach (var (key, tensor) in classifier.Tuned)
            if (weights.ContainsKey(key)) weights[key] = tensor;
        foreach (var name in changes.Names)
        {
            using var owned = changes.Open(name, CPU);
            var change = owned.Change;
            weights[$"{name}.weight"] = change.Tuned?.to(ScalarType.Float32).clone() ?? change.Base + change.B!.matmul(change.A!) * change.Scale;
        }
        TensorFile.Write(
            _tuned.File(Checkpoint.FileName),
            [.. weights.Where(weight => withHead || !weight.Key.StartsWith("lm_head", StringComparison.Ordinal)).Select(weight => (weight.Key, weight.Value))]);
    }

    private static void Rewrite(string folder, Func<IEnumerable<KeyValuePair<string, Tensor>>, IEnumerable<KeyValuePair<string, Tensor>>> change)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> weights;
        using (var checkpoint = Checkpoint.Open(folder)) weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
        TensorFile.Write(Path.Combine(folder, Checkpoint.FileName), [.. change(weights).Select(weight => (weight.Key, weight.Value))]);
    }

    private static void AssertClose(IReadOnlyList<double> expected, IReadOnlyList<double> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (wanted, found) in expected.Zip(actual)) Assert.Equal(wanted, found, 1e-4);
    }
}

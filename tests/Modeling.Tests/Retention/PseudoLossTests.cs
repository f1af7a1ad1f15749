using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Retention;

public sealed class PseudoLossTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;
    private readonly RetentionWindows _windows;

    public PseudoLossTests()
    {
        _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        _windows = RetentionWindows.Tokenize(
            [new("a", ["The fox runs.", "A longer sentence about a fox that runs through the snow."], 0.5), new("b", ["Another text."], 0.5)], _model.Tokenizer, 24);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_AllPositions_IsTheLoopThatHidesOneTokenAtATime()
    {
        using var state = LanguageModelState.OfBase(_model, CPU);

        var found = new PseudoLoss(_windows, MaskedPositions.All(_windows, _model.Tokenizer), batchSize: 7).Of(state);

        var expected = MaskedLoop.Losses(_folder.FullName, _windows);
        Assert.Equal(expected.Count, found.OfCorpus.Count);
        foreach (var (wanted, losses) in expected.Zip(found.OfCorpus))
        {
            Assert.Equal(wanted.Count, losses.Count);
            foreach (var (loss, actual) in wanted.Zip(losses)) Assert.Equal(loss, actual, 1e-4);
        }
        Assert.Null(found.Retied);
    }

    [Fact]
    public void Of_Sample_IsThoseOfAllAtItsPositions()
    {
        using var state = LanguageModelState.OfBase(_model, CPU);
        var (all, some) = (MaskedPositions.All(_windows, _model.Tokenizer), MaskedPositions.Sample(_windows, _model.Tokenizer, 20, seed: 3));

        var (exact, sampled) = (new PseudoLoss(_windows, all, 32).Of(state), new PseudoLoss(_windows, some, 32).Of(state));

        for (var c = 0; c < 2; c++)
        {
            var lossAt = all.OfCorpus[c].Zip(exact.OfCorpus[c]).ToDictionary();
            foreach (var (position, loss) in some.OfCorpus[c].Zip(sampled.OfCorpus[c])) Assert.Equal(lossAt[position], loss, 1e-5);
        }
    }

    [Fact]
    public void Of_Twice_RepeatsToTheBitAndTellsEveryPass()
    {
        using var state = LanguageModelState.OfBase(_model, CPU);
        var loss = new PseudoLoss(_windows, MaskedPositions.All(_windows, _model.Tokenizer), 16);
        var passes = new List<int>();

        Assert.Equal(loss.Of(state, passes.Add).OfCorpus, loss.Of(state).OfCorpus);

        Assert.Equal(_windows.TokenCount, passes.Sum());
        Assert.All(passes.SkipLast(1), pass => Assert.Equal(16, pass));
    }

    [Fact]
    public void Of_UniformModel_IsTheLogarithmOfTheVocabulary()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoint.Write(folder.FullName, change: config => config with { TieWordEmbeddings = false });
        ZeroDecoder(folder.FullName);
        var model = PretrainedModel.FromFolder(folder.FullName);
        using var state = LanguageModelState.OfBase(model, CPU);

        var found = new PseudoLoss(_windows, MaskedPositions.All(_windows, model.Tokenizer), 32).Of(state);

        Assert.All(found.OfCorpus.SelectMany(losses => losses), loss => Assert.Equal(Math.Log(TinyModel.VocabularySize), loss, 1e-6));
    }

    private static void ZeroDecoder(string folder)
    {
        using var scope = NewDisposeScope();
        (string, Tensor)[] weights;
        using (var checkpoint = Checkpoint.Open(folder))
            weights = [.. checkpoint.Entries.Keys.Select(key => (key, checkpoint.Read(key)))];
        foreach (var (key, tensor) in weights)
            if (key is "lm_head.decoder.weight" or "lm_head.bias") tensor.zero_();
        TensorFile.Write(Path.Combine(folder, Checkpoint.FileName), weights);
    }
}

using Microsoft.ML;
using MLNetLoRA.Evaluation.Tests.Probing;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Representation;

[Collection(ProcessWide.Name)]
public sealed class RepresentationDriftCatalogTests
{
    private static readonly string[] Texts = [.. CapitalTask.Rows(40, seed: 3).Select(row => row.Sentence1)];

    private readonly MLContext _ml = new(1);

    [Theory]
    [InlineData(ComparedStates.Tokens)]
    [InlineData(ComparedStates.FirstToken)]
    public void EvaluateRepresentationDrift_UntrainedAdapter_IsOneInEveryLayer(ComparedStates states)
    {
        // B starts at zero: at a rate of almost nothing the tuned model is the base.
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1, LearningRate = 1e-12 });

        var report = _ml.Model.EvaluateRepresentationDrift(model, Texts, new() { States = states });

        Assert.Equal(3, report.Alignments.Count);
        // The embeddings of the first token and its position are the same for all texts.
        Assert.All(states is ComparedStates.Tokens ? report.Alignments : report.Alignments.Skip(1), alignment => Assert.Equal(1, alignment, 1e-6));
        Assert.Equal(states is ComparedStates.FirstToken, double.IsNaN(report.Alignments[0]));
        Assert.Equal((states is ComparedStates.Tokens ? 320 : 40, 40, 32), (report.Examples, report.Texts, report.Width));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void EvaluateRepresentationDrift_FineTunedModel_DriftsMoreInLaterLayers(FineTuningMethod method)
    {
        using var model = CapitalTask.Fit(method, CapitalTask.Options with { LearningRate = 5e-3 });

        var report = _ml.Model.EvaluateRepresentationDrift(model, Texts);

        // An adapter leaves the embeddings alone.
        if (method is FineTuningMethod.Lora) Assert.Equal(1, report.Alignments[0], 1e-9);
        Assert.True(report.Alignments[2] < report.Alignments[1]);
        Assert.InRange(report.LastLayerDrift, 0.005, 1);
        Assert.Equal(method is FineTuningMethod.Lora ? "lora" : "full", report.Method);
    }

    [Fact]
    public void EvaluateRepresentationDrift_BatchesOfOtherSize_ChangeNothing()
    {
        using var model = CapitalTask.Fit();
        string[] texts = [.. Texts, "a longer text, padded differently in every batch", ""];

        var (whole, pieces) = (_ml.Model.EvaluateRepresentationDrift(model, texts), _ml.Model.EvaluateRepresentationDrift(model, texts, new() { BatchSize = 7 }));

        Assert.Equal(41, whole.Texts);
        foreach (var (expected, actual) in whole.Alignments.Zip(pieces.Alignments)) Assert.Equal(expected, actual, 1e-6);
    }

    [Fact]
    public void EvaluateRepresentationDrift_Done_LeavesNoTensor()
    {
        using var model = CapitalTask.Fit();
        _ml.Model.EvaluateRepresentationDrift(model, Texts);
        var before = LiveTensors.Settled();

        _ml.Model.EvaluateRepresentationDrift(model, Texts);

        Assert.Equal(before + RetentionTaskCatalogTests.TrunkParameters, LiveTensors.Now);
    }

    [Fact]
    public void EvaluateRepresentationDrift_BadInput_IsRefusedWithTheReason()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 });

        Assert.Contains("the 0 texts give 0 hidden states", Refusal(["", " "], new()), StringComparison.Ordinal);
        Assert.Contains("give 1 hidden states", Refusal(["one text"], new() { States = ComparedStates.FirstToken }), StringComparison.Ordinal);
        var faults = Refusal(Texts, new() { BatchSize = 0, States = (ComparedStates)9, ScoreColumnName = " " });
        Assert.All(["BatchSize is 0", "States is 9", "ScoreColumnName is empty"], fault => Assert.Contains(fault, faults, StringComparison.Ordinal));
        Assert.Contains("MaxTokens is 1000", Refusal(Texts, new() { MaxTokens = 1000 }), StringComparison.Ordinal);
        Assert.Contains("BaseModel is 'mini-encoder'", Refusal(Texts, new() { BaseModel = PretrainedModel.MiniEncoder }), StringComparison.Ordinal);

        string Refusal(string[] texts, RepresentationDriftOptions options) =>
            Assert.Throws<ArgumentException>(() => _ml.Model.EvaluateRepresentationDrift(model, texts, options)).Message;
    }
}

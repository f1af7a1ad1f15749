using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Forgetting;

public sealed class ForgettingEvaluationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _tuned = new();
    private readonly ForgettingOptions _options = new() { Positions = 60, Device = "cpu" };

    public void Dispose()
    {
        _folder.Dispose();
        _tuned.Dispose();
    }

    [Fact]
    public void OfCheckpoint_TheBaseItself_IsExactlyZero()
    {
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));

        var report = ForgettingEvaluation.OfCheckpoint(model, _folder.FullName, Retention.Corpora, _options);

        Assert.Equal((0, 0), (report.Forgetting, report.StandardError));
        Assert.True(report.BaseLoss > 0);
        Assert.Null(report.Retied);
    }

    [Fact]
    public void OfCheckpoint_AnotherSeedsWeights_ForgetsAndIsReadTwice()
    {
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        TinyCheckpoint.Write(_tuned.FullName, seed: 2);

        var report = ForgettingEvaluation.OfCheckpoint(model, _tuned.FullName, Retention.Corpora, _options);

        Assert.NotEqual(0, report.Forgetting);
        Assert.True(report.StandardError > 0);
        Assert.NotEqual(report.TunedLoss, report.Retied!.TunedLoss);
    }

    [Fact]
    public void OfCheckpoint_OfAnotherShape_IsRefused()
    {
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        TinyCheckpoint.Write(_tuned.FullName, change: config => config with { LayerCount = 1 });

        var error = Assert.Throws<InvalidDataException>(() => ForgettingEvaluation.OfCheckpoint(model, _tuned.FullName, Retention.Corpora, _options));

        Assert.Contains("keys missing", error.Message, StringComparison.Ordinal);
    }
}

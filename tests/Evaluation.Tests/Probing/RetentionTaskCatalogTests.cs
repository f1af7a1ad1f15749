using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Probing;

[Collection(ProcessWide.Name)]
public sealed class RetentionTaskCatalogTests
{
    /// <summary>Parameters of the tiny model's encoder: three embeddings, a norm, and two layers of six maps and two norms.</summary>
    internal const int TrunkParameters = 3 + 2 + (2 * ((6 * 2) + (2 * 2)));

    private readonly MLContext _ml = new(1);
    private readonly RetentionTaskOptions _options = new() { Head = new FreshHeadOptions { MaxEpochs = 30, LearningRate = 5e-3 } };

    [Fact]
    public void EvaluateRetentionTask_UntrainedAdapter_LosesNothing()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1, LearningRate = 1e-12 });

        var report = _ml.Model.EvaluateRetentionTask(model, Rows(120, 11), Rows(60, 12), _options);

        Assert.Equal(0, report.AccuracyLost);
        Assert.Equal(0, report.StandardError);
        Assert.Equal(report.Base.LogLoss, report.Tuned.LogLoss, 1e-4);
        Assert.Equal((120, 60), (report.TrainingRows, report.TestRows));
        Assert.Equal(CapitalTask.Labels.Order(StringComparer.Ordinal), report.ClassNames.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void EvaluateRetentionTask_TheTaskItWasTunedFor_IsLearnedBetterOnTheTunedTrunk(FineTuningMethod method)
    {
        using var model = CapitalTask.Fit(method, CapitalTask.Options with { LearningRate = method is FineTuningMethod.Lora ? 1e-2 : 2e-3 }, CapitalTask.Rows(200));

        var report = _ml.Model.EvaluateRetentionTask(model, Rows(120, 11), Rows(90, 12), _options);

        Assert.True(report.AccuracyLost < -2 * report.StandardError, $"{report.Base} {report.Tuned} ± {report.StandardError}");
        Assert.True(report.Tuned.Accuracy > 0.8, $"{report.Tuned}");
    }

    [Fact]
    public void EvaluateRetentionTask_Twice_GivesTheSameBits()
    {
        using var model = CapitalTask.Fit();
        var (training, test) = (Rows(50, 11), Rows(40, 12));

        var (first, second) = (_ml.Model.EvaluateRetentionTask(model, training, test, _options), _ml.Model.EvaluateRetentionTask(model, training, test, _options));
        var other = _ml.Model.EvaluateRetentionTask(model, training, test, _options with { Head = _options.Head with { Seed = 9 } });

        Assert.Equal((first.Base, first.Tuned), (second.Base, second.Tuned));
        Assert.NotEqual(first.Base, other.Base);
    }

    [Fact]
    public void EvaluateRetentionTask_KeyedLabelsInAnotherOrder_AreMatchedByValue()
    {
        using var model = CapitalTask.Fit();
        var plain = _ml.Model.EvaluateRetentionTask(model, CapitalTask.Keyed(_ml, CapitalTask.Rows(60, 11)), Rows(40, 12), _options);

        var keyed = _ml.Model.EvaluateRetentionTask(
            model, CapitalTask.Keyed(_ml, CapitalTask.Rows(60, 11)), CapitalTask.Keyed(_ml, CapitalTask.Rows(40, 12), ["cat", "bee", "ant"]), _options);

        Assert.Equal((plain.Base, plain.Tuned), (keyed.Base, keyed.Tuned));
    }

    [Fact]
    public void EvaluateRetentionTask_RescaledChain_JudgesTheTrunkAsItIsAfterThat()
    {
        var (unscaled, left, removed) = (Report(null), Report(1), Report(0));

        Assert.Equal(unscaled.Tuned, left.Tuned);
        Assert.NotEqual(unscaled.Tuned.LogLoss, removed.Tuned.LogLoss);
        Assert.Equal(unscaled.Base, removed.Base);

        RetentionTaskReport Report(double? scale)
        {
            IEstimator<ITransformer> pipeline = CapitalTask.Trainer(_ml);
            if (scale is { } given) pipeline = pipeline.Append(_ml.Transforms.RescaleIntruderDimensions(given));
            var model = pipeline.Fit(CapitalTask.Keyed(_ml, CapitalTask.Rows(64)));
            using var owned = (IDisposable)model;
            return _ml.Model.EvaluateRetentionTask(model, Rows(50, 11), Rows(40, 12), _options);
        }
    }

    [Fact]
    public void EvaluateRetentionTask_Done_LeavesNoTensor()
    {
        using var model = CapitalTask.Fit();
        var (training, test) = (Rows(50, 11), Rows(40, 12));
        _ml.Model.EvaluateRetentionTask(model, training, test, _options);
        var before = LiveTensors.Settled();

        _ml.Model.EvaluateRetentionTask(model, training, test, _options);

        // One stays in TorchSharp's count for each parameter made: the base's encoder and two heads of two maps. See LiveTensors.
        Assert.Equal(before + TrunkParameters + (2 * 4), LiveTensors.Now);
    }

    [Fact]
    public void EvaluateRetentionTask_BadInput_IsRefusedWithTheReason()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 });
        var good = Rows(20, 1);

        Assert.Contains("all 9 are of class 'ant'", Refusal(CapitalTask.View(_ml, CapitalTask.Rows(9, classes: 1)), good, new()), StringComparison.Ordinal);
        Assert.Contains("training rows: there are none", Refusal(CapitalTask.View(_ml, []), good, new()), StringComparison.Ordinal);
        Assert.Contains("test rows: there are none", Refusal(good, CapitalTask.View(_ml, []), new()), StringComparison.Ordinal);
        Assert.Contains("There is no column 'Text'", Refusal(good, good, new() { Sentence1ColumnName = "Text" }), StringComparison.Ordinal);
        Assert.Contains("There is no column 'Class'", Refusal(good, good, new() { LabelColumnName = "Class" }), StringComparison.Ordinal);
        Assert.Contains(
            "a label that training does not know ('cat')", Refusal(CapitalTask.View(_ml, CapitalTask.Rows(20, classes: 2)), good, new()), StringComparison.Ordinal);
        var faults = Refusal(good, good, new() { LabelColumnName = "", Sentence2ColumnName = " ", ScoreColumnName = "", Head = new() { MaxEpochs = 0, LearningRate = 0, BatchSize = -1 } });
        Assert.All(
            ["LabelColumnName is empty", "Sentence2ColumnName is empty", "ScoreColumnName is empty", "Head.MaxEpochs is 0", "Head.LearningRate is 0", "Head.BatchSize is -1"],
            fault => Assert.Contains(fault, faults, StringComparison.Ordinal));

        string Refusal(IDataView training, IDataView test, RetentionTaskOptions options) =>
            Assert.Throws<ArgumentException>(() => _ml.Model.EvaluateRetentionTask(model, training, test, options)).Message;
    }

    private IDataView Rows(int count, int seed) => CapitalTask.View(_ml, CapitalTask.Rows(count, seed));
}

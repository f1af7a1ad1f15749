using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Evaluation.Tests.Forgetting;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Evaluation.Tests.Repair;

public sealed class RepairCatalogTests
{
    private readonly MLContext _ml = new(1);

    public static TheoryData<FineTuningMethod> Methods => [FineTuningMethod.Lora, FineTuningMethod.Full];

    // What needs no rows to learn from.
    private static IEnumerable<RepairMethod> Rescalings => Enum.GetValues<RepairMethod>().Where(method => method is not RepairMethod.Balance);

    // Whatever leads counts as an intruder, so that every method has something to scale.
    private RepairCurveOptions Options => new()
    {
        Forgetting = new ForgettingOptions { Positions = 60 },
        Scales = [1, 0, 0.5],
        Epsilon = 0.97,
        TopK = 3,
        TestSet = CapitalTask.Keyed(_ml, CapitalTask.Rows(40, seed: 9)),
        AccuracyTolerance = 0.1,
    };

    private RepairCurveOptions Balancing => Options with
    {
        Methods = [RepairMethod.UniformGlobal, RepairMethod.Balance],
        Strengths = [2, 0, 1e9],
        TaskRows = CapitalTask.View(_ml, CapitalTask.Rows(32)),
    };

    [Theory]
    [MemberData(nameof(Methods))]
    public void EvaluateRepair_AtScaleOne_IsTheUntouchedModelWhateverTheMethod(FineTuningMethod method)
    {
        var model = Retention.Tuned(method);

        var curve = _ml.Model.EvaluateRepair(model, Retention.Corpora, Options);

        var alone = _ml.Model.EvaluateForgetting(model, Retention.Corpora, Options.Forgetting);
        Assert.Equal(15, curve.Points.Count);
        Assert.Equal(Rescalings, curve.Points.Where(point => point.Scale == 1).Select(point => point.Which));
        Assert.All(curve.Points.Where(point => point.Scale == 1), point => Assert.Equal(
            (alone.Forgetting, alone.StandardError, 1, curve.UnscaledTask!.Accuracy, curve.UnscaledTask.LogLoss),
            (point.Forgetting, point.StandardError, point.RelativeToUnscaled, point.Accuracy, point.LogLoss)));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(Options.TestSet!));
        Assert.Equal(metrics.MicroAccuracy, curve.UnscaledTask!.Accuracy, 1e-12);
        Assert.Equal(metrics.LogLoss, curve.UnscaledTask.LogLoss, 1e-5);
        Assert.True(curve.IntruderCount > 0);
    }

    [Fact]
    public void EvaluateRepair_LoraShrunkToNothing_IsTheBase()
    {
        var curve = _ml.Model.EvaluateRepair(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, Options);

        var gone = curve.Points.Single(point => point is { Which: RepairMethod.UniformGlobal, Scale: 0 });
        Assert.Equal(0, gone.Forgetting, 1e-5);
        Assert.Equal(0, gone.RelativeToUnscaled, 1e-3);
        Assert.NotEqual(curve.UnscaledTask!.LogLoss, gone.LogLoss!.Value, 1e-3);
    }

    [Fact]
    public void EvaluateRepair_TopAtAScale_IsWhatTheTransformMakesOfIt()
    {
        var model = Retention.Tuned(FineTuningMethod.Lora);
        var curve = _ml.Model.EvaluateRepair(model, Retention.Corpora, Options);

        foreach (var (method, kind) in new[] { (RepairMethod.Top, RescalingKind.Top), (RepairMethod.All, RescalingKind.All), (RepairMethod.Uniform, RescalingKind.Uniform) })
        {
            using var rescaling = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0.5, Which = kind, Epsilon = 0.97, TopK = 3 })
                .Fit(model.Transform(Options.TestSet!));
            var chain = new TransformerChain<ITransformer>(model, rescaling);
            var point = curve.Points.Single(point => point.Which == method && point.Scale == 0.5);

            Assert.Equal(_ml.Model.EvaluateForgetting(chain, Retention.Corpora, Options.Forgetting).Forgetting, point.Forgetting, 1e-5);
            Assert.Equal(_ml.MulticlassClassification.Evaluate(chain.Transform(Options.TestSet!)).LogLoss, point.LogLoss!.Value, 1e-5);
        }
    }

    [Fact]
    public void EvaluateRepair_FullFineTuningShrunk_HasTheMatricesBetweenBaseAndTuned()
    {
        var model = Retention.Tuned(FineTuningMethod.Full);
        var curve = _ml.Model.EvaluateRepair(model, Retention.Corpora, Options with { Methods = [RepairMethod.UniformGlobal] });

        using var share = ((IFineTunedModel)model).AcquireShare();
        var corrections = Shrink(share.Resource.Classifier, factor: 0.5);
        using var state = LanguageModelState.OfClassifier(share.Resource.Classifier, TorchSharp.torch.CPU);
        using var expected = state.WithCorrections(corrections);
        var measurement = new RetentionMeasurement(CapitalTask.Base, Retention.Corpora, Options.Forgetting, TorchSharp.torch.CPU, 1);

        Assert.Equal(measurement.Measure(expected).Forgetting, curve.Points.Single(point => point.Scale == 0.5).Forgetting, 1e-5);
        Assert.NotEqual(curve.Unscaled.Forgetting, curve.Points.Single(point => point.Scale == 0.5).Forgetting, 1e-4);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void EvaluateRepair_Balance_IsWhatTheTransformLearnsFromEveryOtherText(FineTuningMethod method)
    {
        var model = Retention.Tuned(method);
        RetentionCorpus Every(int place) => new("fox", [.. Retention.Texts.Where((_, index) => index % 2 == place)]);

        var curve = _ml.Model.EvaluateRepair(model, [new RetentionCorpus("fox", Retention.Texts)], Balancing);

        using var balancing = _ml.Transforms.BalanceRetention(new BalanceOptions { RetentionTexts = Every(1).Texts, Strength = 2, Seed = Balancing.Forgetting.Seed })
            .Fit(model.Transform(Balancing.TaskRows!));
        var chain = new TransformerChain<ITransformer>(model, balancing);
        var expected = _ml.Model.EvaluateForgetting(chain, [Every(0)], Balancing.Forgetting);
        var point = curve.Points.Single(point => point is { Which: RepairMethod.Balance, Scale: 2 });
        Assert.Equal(expected.Forgetting, point.Forgetting, 1e-5);
        Assert.Equal(expected.StandardError, point.StandardError, 1e-5);
        Assert.Equal(_ml.MulticlassClassification.Evaluate(chain.Transform(Options.TestSet!)).LogLoss, point.LogLoss!.Value, 1e-5);
        Assert.Equal(_ml.Model.EvaluateForgetting(model, [Every(0)], Balancing.Forgetting).Forgetting, curve.Unscaled.Forgetting);
        Assert.NotEqual(curve.Unscaled.Forgetting, point.Forgetting, 1e-3);
    }

    [Fact]
    public void EvaluateRepair_Balance_GoesFromTheUntouchedModelToTheBase()
    {
        var curve = _ml.Model.EvaluateRepair(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, Balancing);

        var points = curve.Points.Where(point => point.Which == RepairMethod.Balance).ToList();
        Assert.Equal([0, 2, 1e9], points.Select(point => point.Scale));
        Assert.Equal(
            (curve.Unscaled.Forgetting, curve.UnscaledTask!.Accuracy, curve.UnscaledTask.LogLoss), (points[0].Forgetting, points[0].Accuracy, points[0].LogLoss));
        Assert.Equal(0, points[^1].Forgetting, 1e-4);
        Assert.Contains("At equal accuracy balancing leaves", curve.Conclusion, StringComparison.Ordinal);
        Assert.DoesNotContain("left out", curve.Conclusion, StringComparison.Ordinal);
        Assert.Equal(RepairMethod.Balance, curve.AtEqualTask[^1].Which);
    }

    [Fact]
    public void EvaluateRepair_BadRowsForBalance_AreRefused()
    {
        var labelled = Options.TestSet;
        AssertRefused("Methods holds Balance alone", Balancing with { TaskRows = null, Methods = [RepairMethod.Balance] });
        AssertRefused("Methods holds no Balance", Balancing with { Methods = [RepairMethod.Top] });
        AssertRefused("TaskRows and TestSet are the same rows", Balancing with { TaskRows = labelled, TestSet = labelled });
        AssertRefused("Strengths holds -1", Balancing with { Strengths = [0, -1] });
        AssertRefused("There is no column 'Sentence1'; TaskRows reads text", Balancing with { TaskRows = _ml.Data.LoadFromEnumerable([new { Other = "text" }]) });
        AssertRefused("no rows with text in 'Sentence1'", Balancing with { TaskRows = CapitalTask.View(_ml, [new CapitalRow { Sentence1 = " " }]) });
        AssertRefused("is too short to be halved", Balancing, new RetentionCorpus("one", ["a single text"]));

        void AssertRefused(string expected, RepairCurveOptions options, params RetentionCorpus[] corpora) => Assert.Contains(
            expected, Assert.Throws<ArgumentException>(() => _ml.Model.EvaluateRepair(
                Retention.Tuned(FineTuningMethod.Lora), corpora.Length > 0 ? corpora : Retention.Corpora, options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EvaluateRepair_WithoutATestSet_RecommendsNothing()
    {
        var curve = _ml.Model.EvaluateRepair(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, Options with { TestSet = null });

        Assert.Null(curve.Recommended);
        Assert.Empty(curve.AtEqualTask);
        Assert.All(curve.Points, point => Assert.Null(point.Accuracy));
        Assert.Contains("none is recommended", curve.Conclusion, StringComparison.Ordinal);
        Assert.EndsWith("Balance was left out: it learns from the task's training rows, and TaskRows gives none.", curve.Conclusion, StringComparison.Ordinal);
    }

    [Fact]
    public void EvaluateRepair_Recommended_KeepsTheAccuracyAndForgetsLeast()
    {
        var curve = _ml.Model.EvaluateRepair(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, Options);

        var allowed = curve.Points.Where(point => point.Accuracy >= curve.UnscaledTask!.Accuracy - 0.1).ToList();
        var chosen = curve.Points.Single(point => point.Which == curve.Recommended!.Which && point.Scale == curve.Recommended.Scale);
        Assert.Contains(chosen, allowed);
        Assert.Equal(allowed.Min(point => point.Forgetting), chosen.Forgetting);
        Assert.Equal(Rescalings, curve.AtEqualTask.Select(equal => equal.Which));
        Assert.All(curve.AtEqualTask, equal => Assert.True(equal.Forgetting <= curve.Unscaled.Forgetting));
    }

    [Fact]
    public void OfAdapter_OfTheSameModel_HasTheSameForgetting()
    {
        using var folder = new TemporaryFolder();
        var options = Options with { TestSet = null, Methods = [RepairMethod.All, RepairMethod.UniformGlobal] };
        _ml.Model.SaveAdapter(Retention.Tuned(FineTuningMethod.Lora), folder.FullName);

        var expected = _ml.Model.EvaluateRepair(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, options);
        var found = RepairCurveEvaluation.OfAdapter(CapitalTask.Base, folder.FullName, Retention.Corpora, options);

        foreach (var (one, other) in expected.Points.Zip(found.Points)) Assert.Equal(one.Forgetting, other.Forgetting, 1e-4);
        Assert.Throws<ArgumentException>(() => RepairCurveEvaluation.OfAdapter(CapitalTask.Base, folder.FullName, Retention.Corpora, Options));
        Assert.Contains("TaskRows is given", Assert.Throws<ArgumentException>(() => RepairCurveEvaluation.OfAdapter(
            CapitalTask.Base, folder.FullName, Retention.Corpora, Balancing with { TestSet = null })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EvaluateRepair_BadInput_IsNamedAllTogether()
    {
        var model = Retention.Tuned(FineTuningMethod.Lora);
        var faulty = new RepairCurveOptions { Scales = [0.5, 0.5, -1], Methods = [], AccuracyTolerance = 2, Epsilon = 1, TopK = 0, LabelColumnName = "" };

        var message = Assert.Throws<ArgumentException>(() => _ml.Model.EvaluateRepair(model, Retention.Corpora, faulty)).Message;

        Assert.All(
            ["Scales holds 0.5 2 times", "Scales holds -1", "Methods is empty", "AccuracyTolerance is 2", "Epsilon is 1", "TopK is 0", "LabelColumnName is empty"],
            fault => Assert.Contains(fault, message, StringComparison.Ordinal));
        var noLabel = Assert.Throws<ArgumentException>(() => _ml.Model.EvaluateRepair(model, Retention.Corpora, Options with { LabelColumnName = "Class" }));
        Assert.Contains("'Class'", noLabel.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToJsonAndMarkdown_Curve_HaveEveryPoint()
    {
        var curve = _ml.Model.EvaluateRepair(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, Options);

        var json = JsonDocument.Parse(curve.ToJson()).RootElement;

        Assert.Equal(15, json.GetProperty("points").GetArrayLength());
        Assert.Equal("uniform-global", json.GetProperty("points")[14].GetProperty("which").GetString());
        // Points, methods at equal accuracy, two corpora with their total; and two lines of heading each.
        Assert.Equal(17 + 7 + 5, curve.ToMarkdown().Split('\n').Count(line => line.StartsWith('|')));
    }

    private static Dictionary<string, LoraFactors> Shrink(TextClassifier classifier, double factor)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        using var changes = classifier.OpenChanges();
        return changes.Names.ToDictionary(name => name, name =>
        {
            using var owned = changes.Open(name, TorchSharp.torch.CPU);
            var difference = (owned.Change.Tuned! - owned.Change.Base) * (factor - 1);
            return new LoraFactors(
                TorchSharp.torch.eye(difference.shape[1], device: TorchSharp.torch.CPU).DetachFromDisposeScope(), difference.DetachFromDisposeScope(), 1);
        });
    }
}

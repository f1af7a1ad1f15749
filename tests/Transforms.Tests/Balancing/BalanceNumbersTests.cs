using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests.Balancing;

/// <summary>Balanced models against networks of whole matrices, balanced by the formula in float64.</summary>
[Collection(ProcessWide.Name)]
public sealed class BalanceNumbersTests
{
    private readonly MLContext _ml = new(1);

    [Theory]
    [InlineData(FineTuningMethod.Lora, 0.5)]
    [InlineData(FineTuningMethod.Lora, 20)]
    [InlineData(FineTuningMethod.Full, 0.5)]
    [InlineData(FineTuningMethod.Full, 20)]
    public void Fit_AnyMethod_ScoresAsTheFormulaOnWholeMatrices(FineTuningMethod method, double strength)
    {
        using var planted = method is FineTuningMethod.Lora ? PlantedModel.Lora() : PlantedModel.Full();
        var scored = planted.Transform(PlantedModel.Data());

        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some, strength).Fit(scored);

        var expected = Expected(planted, strength);
        // What is added to a whole matrix is rounded to bfloat16.
        PlantedModel.AssertClose(expected, PlantedModel.Scores(balancing.Transform(scored)), method is FineTuningMethod.Lora ? 2e-5 : 5e-3);
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(scored), expected));
        Assert.Equal(12, balancing.Plans.Count);
        Assert.All(balancing.Plans, plan => Assert.InRange(plan.RetentionLeft, 0, 1));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_StrengthZero_PassesThroughToTheBit(FineTuningMethod method)
    {
        using var planted = method is FineTuningMethod.Lora ? PlantedModel.Lora() : PlantedModel.Full();
        var scored = planted.Transform(PlantedModel.Data());

        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some, strength: 0).Fit(scored);

        Assert.Equal(PlantedModel.Scores(scored), PlantedModel.Scores(balancing.Transform(scored)));
        Assert.All(balancing.Plans, plan => Assert.True(plan.ChangesNothing));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_GrowingStrength_LeavesLessAndLessOfTheChange(FineTuningMethod method)
    {
        using var planted = method is FineTuningMethod.Lora ? PlantedModel.Lora() : PlantedModel.Full();
        var scored = planted.Transform(PlantedModel.Data());
        double[] strengths = [0.1, 1, 10, 1e6];

        var plans = strengths.Select(strength =>
        {
            using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some, strength).Fit(scored);
            return balancing.Plans;
        }).ToList();

        for (var n = 0; n < 12; n++)
        {
            var left = plans.Select(each => each[n].RetentionLeft).ToList();
            Assert.Equal(left.OrderDescending(), left);
            Assert.InRange(left[^1], 0, 1e-3);
            Assert.InRange(plans[^1][n].TaskShift, 0.999, 1);
        }
    }

    [Fact]
    public void Fit_FullWithARank_KeepsTheNearestOfThatRankAndSaysWhatItLost()
    {
        using var planted = PlantedModel.Full();
        var scored = planted.Transform(PlantedModel.Data());
        using var whole = Fit(scored, rank: null);
        using var cut = Fit(scored, rank: 2);
        using var all = Fit(scored, rank: 32);

        Assert.All(cut.Plans.Zip(whole.Plans), pair => Assert.Equal(pair.Second, pair.First with { TruncationError = 0 }));
        Assert.All(cut.Plans, plan => Assert.InRange(plan.TruncationError, 1e-6, 1));
        PlantedModel.AssertClose(PlantedModel.Scores(whole.Transform(scored)), PlantedModel.Scores(all.Transform(scored)), 5e-3);
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(whole.Transform(scored)), PlantedModel.Scores(cut.Transform(scored))));

        BalanceRetentionTransformer Fit(IDataView data, int? rank) =>
            _ml.Transforms.BalanceRetention(new BalanceOptions { RetentionTexts = RetentionText.Some, Rank = rank }).Fit(data);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void BeforeAndAfterARescaling_IsOneAfterTheOther(FineTuningMethod method)
    {
        using var planted = method is FineTuningMethod.Lora ? PlantedModel.Lora() : PlantedModel.Full();
        var scored = planted.Transform(PlantedModel.Data());
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(scored);
        var rescaled = rescaling.Transform(scored);
        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(rescaled);
        var balanced = balancing.Transform(rescaled);
        using var again = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(balanced);

        var expected = Expected(planted, 0.5, (reference, tuned) => DenseReference.TopIntruderScaled(reference, tuned, 0.3));

        PlantedModel.AssertClose(expected, PlantedModel.Scores(balanced), method is FineTuningMethod.Lora ? 1e-4 : 5e-3);
        // What the second rescaling starts from is the balanced model: it finds what a report on that model finds.
        var chain = new TransformerChain<ITransformer>(planted, rescaling, balancing);
        var report = _ml.Model.InspectIntruders(chain);
        Assert.Equal(report.Matrices.Count(finding => finding.Intruders.Count > 0), again.Plans.Count(plan => !plan.ChangesNothing));
        var twice = again.Transform(balanced);
        Assert.Equal(again.Plans.Any(plan => !plan.ChangesNothing), PlantedModel.Differ(PlantedModel.Scores(balanced), PlantedModel.Scores(twice)));
    }

    [Fact]
    public void Twice_IsOneAfterTheOther()
    {
        using var planted = PlantedModel.Lora();
        var scored = planted.Transform(PlantedModel.Data());
        using var first = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(scored);
        var once = first.Transform(scored);
        using var second = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(once);

        var moments = new Reference(planted);
        float[][] expected = [];
        PlantedModel.Use(planted, classifier =>
        {
            using var scope = NewDisposeScope();
            expected = DenseReference.Scores(classifier, name =>
            {
                var (reference, tuned) = (DenseReference.BaseMatrix(classifier, name), DenseReference.TunedMatrix(classifier, name));
                return reference + moments.Balance(name, moments.Balance(name, tuned - reference, 0.5), 0.5);
            }, Texts);
        });
        PlantedModel.AssertClose(expected, PlantedModel.Scores(second.Transform(once)), 2e-5);
    }

    [Fact]
    public void SaveAdapter_Balanced_KeepsTheRankAndB()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var planted = PlantedModel.Lora();
        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(planted.Transform(PlantedModel.Data()));

        _ml.Model.SaveAdapter(new TransformerChain<ITransformer>(planted, balancing), folder.FullName);

        using var adapter = PeftFolder.Read(folder.FullName, CapitalTask.Base.Config, CPU);
        PlantedModel.Use(planted, classifier =>
        {
            foreach (var (name, factors) in adapter.Factors)
            {
                Assert.Equal(4, factors.Rank);
                Assert.Equal(classifier.Tuned[$"{name}.lora_B.weight"].data<float>().ToArray(), factors.B.data<float>().ToArray());
                Assert.NotEqual(classifier.Tuned[$"{name}.lora_A.weight"].data<float>().ToArray(), factors.A.data<float>().ToArray());
            }
        });
    }

    [Fact]
    public void ValidationSet_ChoosesTheLargestStrengthWithinTheTolerance()
    {
        using var model = CapitalTask.Fit();
        var scored = model.Transform(PlantedModel.Data());
        var validation = CapitalTask.View(_ml, CapitalTask.Rows(60, seed: 21));
        var options = new BalanceOptions
        {
            RetentionTexts = RetentionText.Some, ValidationSet = validation, StrengthGrid = [0.5, 1e6, 0.01], AccuracyTolerance = 0.05,
        };

        using var balancing = _ml.Transforms.BalanceRetention(options).Fit(scored);

        Assert.Equal([0, 0.01, 0.5, 1e6], balancing.Trials.Select(trial => trial.Strength));
        var wanted = balancing.Trials[0].Accuracy - 0.05;
        Assert.Equal(balancing.Trials.Last(trial => trial.Accuracy >= wanted).Strength, balancing.Strength);
        Assert.True(balancing.Trials[^1].Accuracy < wanted, "removing everything costs the task");
        foreach (var trial in balancing.Trials)
        {
            using var alone = _ml.Transforms.BalanceRetention(options with { ValidationSet = null, Strength = trial.Strength }).Fit(scored);
            var labels = CapitalTask.Rows(60, seed: 21).Select(row => Array.IndexOf(CapitalTask.Labels, row.Label));
            var scores = PlantedModel.Scores(alone.Transform(model.Transform(PlantedModel.Data(60, 21))));
            Assert.Equal(trial.Accuracy, scores.Zip(labels).Average(row => row.First.AsSpan().IndexOf(row.First.Max()) == row.Second ? 1.0 : 0.0), 1e-9);
        }
    }

    [Fact]
    public void Seed_AndMomentTokens_DecideWhatIsLookedAt()
    {
        using var planted = PlantedModel.Lora();
        var scored = planted.Transform(PlantedModel.Data());
        var options = new BalanceOptions { RetentionTexts = RetentionText.Some, MomentTokens = 60 };

        Assert.Equal(Distances(options), Distances(options));
        Assert.NotEqual(Distances(options), Distances(options with { Seed = 1 }));
        Assert.NotEqual(Distances(options), Distances(options with { MomentTokens = 200 }));
        Assert.NotEqual(Distances(options), Distances(options with { Shrinkage = 0.5 }));

        List<double> Distances(BalanceOptions settings)
        {
            using var balancing = _ml.Transforms.BalanceRetention(settings).Fit(scored);
            Assert.InRange(balancing.TaskTokens, 1, settings.MomentTokens);
            Assert.InRange(balancing.RetentionTokens, 1, settings.MomentTokens);
            return [.. balancing.Plans.Select(plan => plan.Distance)];
        }
    }

    [Fact]
    public void TargetModules_Named_BalanceThoseAlone()
    {
        using var planted = PlantedModel.Lora();
        using var balancing = _ml.Transforms.BalanceRetention(new BalanceOptions { RetentionTexts = RetentionText.Some, TargetModules = ["query", "output.dense"] })
            .Fit(planted.Transform(PlantedModel.Data()));

        Assert.All(balancing.Plans, plan => Assert.Matches("(query|output.dense)$", plan.Name));
        Assert.Equal(4, balancing.Plans.Count);
    }

    private static string[] Texts => [.. CapitalTask.Rows(30, seed: 7).Select(row => row.Sentence1)];

    private static float[][] Expected(TextClassificationTransformer planted, double strength, Func<Tensor, Tensor, Tensor>? first = null)
    {
        var moments = new Reference(planted);
        return DenseReference.Scores(planted, (classifier, name) =>
        {
            var (reference, tuned) = (DenseReference.BaseMatrix(classifier, name), DenseReference.TunedMatrix(classifier, name));
            if (first is not null) tuned = first(reference, tuned);
            return reference + moments.Balance(name, tuned - reference, strength);
        }, Texts);
    }

    /// <summary>The formula on whole matrices, by another solver than the library's.</summary>
    private sealed class Reference(TextClassificationTransformer planted)
    {
        private readonly PretrainedModel _base = planted.BaseModel;

        public Tensor Balance(string name, Tensor delta, double strength)
        {
            using var scope = NewDisposeScope();
            var rows = Texts.Select(text => _base.Tokenizer.Encode(text, null, 128)).ToList();
            using var task = EncoderMoments.Collect(_base, rows, 8, CPU);
            using var retention = EncoderMoments.Collect(
                _base, MomentRows.SampleMasked(RetentionText.Some, _base.Tokenizer, _base.Config.MaxTokens, 16_384, seed: 0), 8, CPU);
            var (c, r) = (Shrunk(task.Of(name)), Shrunk(retention.Of(name)));
            return delta.matmul(c).matmul(linalg.inv(c + (r * strength))).MoveToOuterDisposeScope();
        }

        private static Tensor Shrunk(Tensor moment) =>
            moment + (eye(moment.shape[0], dtype: float64, device: CPU) * (0.01 * moment.diagonal().mean()));
    }
}

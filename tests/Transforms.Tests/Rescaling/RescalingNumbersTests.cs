using Microsoft.ML;
using MLNetLoRA.Spectral;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests.Rescaling;

/// <summary>What the rescaled model computes, held against whole matrices in float64 and against algebra.</summary>
public sealed class RescalingNumbersTests
{
    private static readonly string[] Texts = [.. CapitalTask.Rows(30, 7).Select(row => row.Sentence1)];

    private readonly MLContext _ml = new(1);

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Scale_One_GivesTheSameBits(FineTuningMethod method)
    {
        using var model = Create(method);
        var scored = model.Transform(PlantedModel.Data());

        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(scale: 1).Fit(scored);

        Assert.Equal(PlantedModel.Scores(scored), PlantedModel.Scores(rescaled.Transform(scored)));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, 0.7)]
    [InlineData(FineTuningMethod.Lora, 0)]
    [InlineData(FineTuningMethod.Lora, 1.5)]
    [InlineData(FineTuningMethod.Full, 0.7)]
    [InlineData(FineTuningMethod.Full, 0)]
    public void Top_AnyScale_ScoresAsANetworkOfRescaledMatrices(FineTuningMethod method, double scale)
    {
        using var model = Create(method);
        var scored = model.Transform(PlantedModel.Data());
        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(scale).Fit(scored);

        var actual = PlantedModel.Scores(rescaled.Transform(scored));

        var expected = DenseReference.Scores(model, (classifier, name) => DenseReference.TopIntruderScaled(
            DenseReference.BaseMatrix(classifier, name), DenseReference.TunedMatrix(classifier, name), scale), Texts);
        PlantedModel.AssertClose(expected, actual);
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(scored), actual));
        Assert.Superset(PlantedModel.Planted.ToHashSet(), rescaled.Plans.Where(plan => plan.Triples.Count > 0).Select(plan => plan.Name).ToHashSet());
    }

    /// <summary>The whole matrices come from another path than the corrections.</summary>
    [Theory]
    [InlineData(RescalingKind.All)]
    [InlineData(RescalingKind.Neighbour)]
    [InlineData(RescalingKind.Uniform)]
    [InlineData(RescalingKind.UniformGlobal)]
    public void Which_AnyKind_ScoresAsANetworkOfRescaledMatrices(RescalingKind which)
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0.4, Which = which }).Fit(scored);

        var actual = PlantedModel.Scores(rescaled.Transform(scored));

        float[][] expected = [];
        PlantedModel.Use(model, classifier =>
        {
            using var changes = classifier.OpenChanges();
            using var spectra = new Disposables();
            var analyzed = changes.Names.Select(name => spectra.Add(new IntruderDetector().Analyze(spectra.Add(changes.Open(name, CPU)).Change))).ToList();
            var dense = new IntruderRescaling { Kind = which, Scale = 0.4 }.ApplyToAll(analyzed)
                .ToDictionary(change => change.Plan.Name, change => spectra.Add(change.ToDense(ScalarType.Float64)));
            expected = DenseReference.Scores(classifier, name => dense[name], Texts);
        });
        PlantedModel.AssertClose(expected, actual);
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(scored), actual));
    }

    [Fact]
    public void Uniform_TheFactorOfEachMatrix_IsThatOfB()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0.4, Which = RescalingKind.Uniform }).Fit(scored);
        var actual = PlantedModel.Scores(rescaled.Transform(scored));
        Assert.All(rescaled.Plans.Where(plan => PlantedModel.Planted.Contains(plan.Name)), plan => Assert.InRange(plan.UniformFactor, 0, 0.99));

        PlantedModel.Use(model, classifier =>
        {
            using var _ = no_grad();
            foreach (var plan in rescaled.Plans) classifier.Tuned[$"{plan.Name}.lora_B.weight"].mul_(plan.UniformFactor);
        });

        PlantedModel.AssertClose(PlantedModel.Scores(scored), actual);
    }

    [Fact]
    public void Twice_TheSecond_RescalesWhatTheFirstLeft()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        using var first = _ml.Transforms.RescaleIntruderDimensions(0.5).Fit(scored);
        var once = first.Transform(scored);
        using var second = _ml.Transforms.RescaleIntruderDimensions(0.6).Fit(once);

        var actual = PlantedModel.Scores(second.Transform(once));

        var expected = DenseReference.Scores(model, (classifier, name) =>
        {
            var weight = DenseReference.BaseMatrix(classifier, name);
            return DenseReference.TopIntruderScaled(weight, DenseReference.TopIntruderScaled(weight, DenseReference.TunedMatrix(classifier, name), 0.5), 0.6);
        }, Texts);
        PlantedModel.AssertClose(expected, actual);
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(once), actual));
    }

    [Fact]
    public void TargetModules_OneName_LeavesTheOtherMatrices()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());

        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0, TargetModules = ["query"] }).Fit(scored);

        Assert.Equal([PlantedModel.Query, PlantedModel.Query.Replace("layer.0", "layer.1", StringComparison.Ordinal)], rescaled.Plans.Select(plan => plan.Name));
    }

    [Fact]
    public void Rank_BelowTheExactOne_CutsTheChangeToTheNearest()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0.5, Rank = 1 }).Fit(scored);

        PlantedModel.Use(((IModelRepair)rescaled).Over(model), classifier =>
        {
            using var scope = NewDisposeScope();
            using var changes = classifier.OpenChanges();
            using var change = changes.Open(PlantedModel.Query, CPU);
            var delta = change.Change.B!.to(ScalarType.Float64).matmul(change.Change.A!.to(ScalarType.Float64)) * change.Change.Scale;

            // The nearest of rank 1 to the exactly rescaled change has its first singular triple.
            PlantedModel.Use(model, before =>
            {
                var weight = DenseReference.BaseMatrix(before, PlantedModel.Query);
                var exact = DenseReference.TopIntruderScaled(weight, DenseReference.TunedMatrix(before, PlantedModel.Query), 0.5) - weight;
                var (u, s, vh) = linalg.svd(exact, fullMatrices: false);
                Assert.Equal(0, (delta - u.select(1, 0).outer(vh[0]) * s[0]).norm().item<double>(), 1e-4);
                Assert.True(s[1].item<double>() > 1e-2, "there was something to cut");
            });
        });
    }

    [Fact]
    public void Epsilon_TooSmallForThePlantedDirection_FindsNone()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());

        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0, Epsilon = 0.05 }).Fit(scored);

        Assert.All(rescaled.Plans, plan => Assert.Empty(plan.Triples));
    }

    [Fact]
    public void ValidationSet_PlantedNoise_ChoosesTheSmallestScaleWithinTheTolerance()
    {
        using var model = PlantedModel.Lora();
        var scored = model.Transform(PlantedModel.Data());
        var validation = CapitalTask.View(_ml, CapitalTask.Rows(60, seed: 11));
        var options = new IntruderOptions { ValidationSet = validation, ScaleGrid = [0.8, 0, 0.4], AccuracyTolerance = 0.02 };

        using var rescaled = _ml.Transforms.RescaleIntruderDimensions(options).Fit(scored);

        // Each λ for itself, through the chain and ML.NET's own evaluator on labels that are text.
        var rows = CapitalTask.Rows(60, seed: 11);
        foreach (var trial in rescaled.Trials)
        {
            using var single = _ml.Transforms.RescaleIntruderDimensions(trial.Scale).Fit(scored);
            var keyed = model.Transform(CapitalTask.Keyed(_ml, rows));
            Assert.Equal(_ml.MulticlassClassification.Evaluate(single.Transform(keyed)).MicroAccuracy, trial.Accuracy, 1e-9);
        }
        Assert.Equal([0, 0.4, 0.8, 1], rescaled.Trials.Select(trial => trial.Scale));
        Assert.Equal(rescaled.Trials.First(trial => trial.Accuracy >= rescaled.Trials[^1].Accuracy - 0.02).Scale, rescaled.Scale);
    }

    private static TextClassificationTransformer Create(FineTuningMethod method) =>
        method is FineTuningMethod.Lora ? PlantedModel.Lora() : PlantedModel.Full();

    private sealed class Disposables : IDisposable
    {
        private readonly List<IDisposable> _owned = [];

        public T Add<T>(T owned) where T : IDisposable
        {
            _owned.Add(owned);
            return owned;
        }

        public void Dispose() => _owned.ForEach(owned => owned.Dispose());
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>A tiny model through fit, evaluation, prediction, save and load, the way a user goes.</summary>
[Collection(ProcessWide.Name)]
public class JourneyTests
{
    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";
        public float[] Score { get; set; } = [];
    }

    private sealed class ScoreOnly
    {
        public float[] Score { get; set; } = [];
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_OnALearnableTask_ReachesHighAccuracyOnUnseenRows(FineTuningMethod method)
    {
        var ml = new MLContext(1);
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label").Append(CapitalTask.Trainer(ml, method));
        using var model = pipeline.Fit(CapitalTask.View(ml, CapitalTask.Rows(240)));

        var metrics = ml.MulticlassClassification.Evaluate(model.Transform(CapitalTask.View(ml, CapitalTask.Rows(90, seed: 2))));

        Assert.InRange(metrics.MicroAccuracy, 0.95, 1);
        Assert.InRange(metrics.LogLoss, 0, 0.3);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_OnPairs_ReadsTheSecondSentence(FineTuningMethod method)
    {
        var ml = new MLContext(1);
        var options = CapitalTask.Options with { Sentence2ColumnName = "Sentence2" };
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label").Append(CapitalTask.Trainer(ml, method, options));
        using var model = pipeline.Fit(CapitalTask.View(ml, CapitalTask.Pairs(240)));

        var metrics = ml.MulticlassClassification.Evaluate(model.Transform(CapitalTask.View(ml, CapitalTask.Pairs(60, seed: 2))));

        Assert.InRange(metrics.MicroAccuracy, 0.95, 1);
    }

    [Fact]
    public void Pipeline_FromValueToKeyToValue_GivesLabelNamesBack()
    {
        var ml = new MLContext(1);
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(CapitalTask.Trainer(ml))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        using var model = pipeline.Fit(CapitalTask.View(ml, CapitalTask.Rows(240)));
        var rows = CapitalTask.Rows(30, seed: 3);

        var named = model.Transform(CapitalTask.View(ml, rows)).GetColumn<string>("PredictedLabel").ToArray();

        Assert.InRange(named.Zip(rows, (name, row) => name == row.Label).Count(right => right), 28, 30);
    }

    [Fact]
    public void CrossValidate_FiveFoldsAlive_ShareOneBaseAndGiveItBack()
    {
        var ml = new MLContext(1);
        var parametersMade = 5 * 2 * CapitalTask.ParameterCount(FineTuningMethod.Lora);
        var before = LiveTensors.Settled();
        var heldBefore = SharedWeights.HeldCount;
        var data = CapitalTask.Keyed(ml, CapitalTask.Rows(60));

        var folds = ml.MulticlassClassification.CrossValidate(data, CapitalTask.Trainer(ml, options: CapitalTask.Options with { MaxEpochs = 1 }));

        Assert.Equal(5, folds.Count);
        Assert.Equal(heldBefore + 1, SharedWeights.HeldCount);
        foreach (var fold in folds) ((IDisposable)fold.Model).Dispose();
        Assert.Equal(heldBefore, SharedWeights.HeldCount);
        Assert.Equal(before + parametersMade, LiveTensors.Now);
    }

    [Fact]
    public void PredictionEngine_OneOfTwoDisposed_LeavesTheOtherWorking()
    {
        var ml = new MLContext(1);
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(CapitalTask.Trainer(ml, options: CapitalTask.Options with { MaxEpochs = 1 }))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var model = pipeline.Fit(CapitalTask.View(ml, CapitalTask.Rows(60)));
        var row = CapitalTask.Rows(1, seed: 4)[0];
        var first = ml.Model.CreatePredictionEngine<CapitalRow, Prediction>(model);
        var second = ml.Model.CreatePredictionEngine<CapitalRow, Prediction>(model);
        var expected = first.Predict(row).Score;

        first.Dispose();

        Assert.Equal(expected, second.Predict(row).Score);
        // The first engine owned the transformer: nothing new may begin, even while the second engine holds the weights.
        Assert.Throws<ObjectDisposedException>(() => ml.Model.CreatePredictionEngine<CapitalRow, Prediction>(model));
        Assert.Throws<ObjectDisposedException>(() => model.Transform(CapitalTask.View(ml, [row])).GetColumn<string>("PredictedLabel").ToArray());
        Assert.Throws<ObjectDisposedException>(() => ml.Model.Save(model, null, Stream.Null));
        second.Dispose();
    }

    [Fact]
    public void Scores_HoweverRowsAreRead_AreTheSame()
    {
        var ml = new MLContext(1);
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1, BatchSize = 7 });
        var rows = CapitalTask.Rows(40, seed: 5);
        rows[3].Sentence1 = "longer than the others, so that batches are padded";
        var batched = CapitalTask.Scores(model, rows);

        using var engine = ml.Model.CreatePredictionEngine<CapitalRow, ScoreOnly>(
            model, new PredictionEngineOptions { OwnsTransformer = false });
        AssertClose(batched, [.. rows.Select(row => engine.Predict(row).Score.ToArray())]);

        var view = CapitalTask.View(ml, rows);
        var shuffled = model.Transform(ml.Data.ShuffleRows(view, seed: 3));
        var byText = shuffled.GetColumn<string>("Sentence1").Zip(shuffled.GetColumn<float[]>("Score")).ToDictionary(row => row.First, row => row.Second);
        AssertClose(batched, [.. rows.Select(row => byText[row.Sentence1])]);
        AssertClose(batched, [.. ml.Data.Cache(model.Transform(view)).GetColumn<float[]>("Score")]);
        AssertClose(batched[..11], [.. ml.Data.TakeRows(model.Transform(view), 11).GetColumn<float[]>("Score")]);
    }

    [Fact]
    public async Task Scores_FromSeveralThreadsAtOnce_AreTheSame()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 });
        var rows = CapitalTask.Rows(60, seed: 6);
        var expected = CapitalTask.Scores(model, rows);

        var all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => CapitalTask.Scores(model, rows), TestContext.Current.CancellationToken)));

        Assert.All(all, scores => Assert.Equal(expected, scores));
    }

    [Fact]
    public void Dispose_WhileACursorReads_LetsItFinishAndThenFreesTheWeights()
    {
        LiveTensors.Settled();      // prediction engines of other tests give their shares back when they are collected
        var ml = new MLContext(1);
        var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1, BatchSize = 4 });
        var scored = model.Transform(CapitalTask.View(ml, CapitalTask.Rows(30)));
        var expected = scored.GetColumn<float[]>("Score").ToArray();
        var found = new List<float[]>();
        foreach (var row in scored.GetColumn<float[]>("Score"))
        {
            model.Dispose();
            found.Add(row);
            Assert.Equal(1, SharedWeights.HeldCount);
        }

        Assert.Equal(expected, found);
        Assert.Equal(0, SharedWeights.HeldCount);
        model.Dispose();
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Bert_WithoutAPooler_DrawsItSaysSoLearnsAndComesBack(FineTuningMethod method)
    {
        using var folder = new TemporaryFolder();
        // BERT's network with the tiny tokenizer; a masked language model has no pooler.
        var bert = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName, change: config => config with
        {
            Family = ModelFamily.Bert, PadTokenId = 1, TypeVocabularySize = 2,
        }));
        var ml = new MLContext(1);
        var lines = new List<string>();
        ml.Log += (_, e) => lines.Add(e.Message);
        using var model = CapitalTask.Trainer(ml, method, model: bert).Fit(CapitalTask.Keyed(ml, CapitalTask.Rows(240)));
        var rows = CapitalTask.Rows(60, seed: 2);

        Assert.Contains(lines, line => line.Contains("does not hold bert.pooler.dense.weight and 1 more; drawn at random", StringComparison.Ordinal));
        var metrics = ml.MulticlassClassification.Evaluate(model.Transform(CapitalTask.Keyed(ml, rows)));
        Assert.InRange(metrics.MicroAccuracy, 0.95, 1);
        ml.Model.Save(model, null, folder.File("model.mlnet"));
        using var loaded = (TextClassificationTransformer)new MLContext().Model.Load(folder.File("model.mlnet"), out _);
        Assert.Equal(CapitalTask.Scores(model, rows), CapitalTask.Scores(loaded, rows));
        Assert.Equal(["bert.pooler.dense.bias", "bert.pooler.dense.weight"], loaded.BaseModel.InitializedKeys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_LeavesTheSharedBaseByteForByte(FineTuningMethod method)
    {
        using var share = SharedWeights.Acquire(CapitalTask.Base, TorchSharp.torch.CPU);
        var before = share.Tensors.ToDictionary(weight => weight.Key, weight => Convert.ToHexString(weight.Value.bytes));

        CapitalTask.Fit(method, CapitalTask.Options with { MaxEpochs = 2, WeightDecay = 0.1 }).Dispose();

        Assert.Equal(before, share.Tensors.ToDictionary(weight => weight.Key, weight => Convert.ToHexString(weight.Value.bytes)));
    }

    [Fact]
    public void GpuDeviceId_OfTheContext_IsHonouredByFitAndLoad()
    {
        Assert.SkipWhen(TorchSharp.torch.cuda.is_available(), "A GPU is usable here; this test is about its absence.");
        using var folder = new TemporaryFolder();
        var ml = new MLContext(1);
        var data = CapitalTask.Keyed(ml, CapitalTask.Rows(20));
        var trainer = CapitalTask.Trainer(ml, options: CapitalTask.Options with { MaxEpochs = 1, Device = null });
        ml.GpuDeviceId = 0;
        ml.FallbackToCpu = true;
        using (var model = trainer.Fit(data))
        {
            Assert.Equal("cpu", model.TrainingReport.Device);
            ml.Model.Save(model, null, folder.File("model.mlnet"));
        }

        ml.FallbackToCpu = false;
        var error = Assert.Throws<InvalidOperationException>(() => trainer.Fit(data));
        Assert.Contains("GpuDeviceId is 0", error.Message, StringComparison.Ordinal);
        Assert.Contains("GpuDeviceId is 0", Assert.ThrowsAny<Exception>(() => ml.Model.Load(folder.File("model.mlnet"), out _)).ToString(), StringComparison.Ordinal);
    }

    private static void AssertClose(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach (var (r, row) in expected.Index())
            foreach (var (c, score) in row.Index()) Assert.Equal(score, actual[r][c], 1e-5);
    }
}

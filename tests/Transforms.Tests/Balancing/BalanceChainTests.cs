using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Transforms.Tests.Balancing;

/// <summary>The balanced repair in pipelines, the way a user goes.</summary>
[Collection(ProcessWide.Name)]
public sealed class BalanceChainTests
{
    private readonly MLContext _ml = new(1);

    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";
        public float[] Score { get; set; } = [];
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Pipeline_BeforeMapKeyToValue_SavedAndLoaded_PredictsTheSame(FineTuningMethod method)
    {
        using var folder = new TemporaryFolder();
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(CapitalTask.Trainer(_ml, method, CapitalTask.Options with { MaxEpochs = 1 }))
            .Append(_ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0.3, Epsilon = 0.9 }))
            .Append(_ml.Transforms.BalanceRetention(RetentionText.Some, strength: 0.7))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var rows = CapitalTask.Rows(40, seed: 3);
        var data = CapitalTask.View(_ml, rows);
        using var model = pipeline.Fit(data);
        _ml.Model.Save(model, data.Schema, folder.File("model.mlnet"));

        var fresh = new MLContext();
        var loaded = fresh.Model.Load(folder.File("model.mlnet"), out _);

        var expected = PlantedModel.Scores(model.Transform(data));
        Assert.Equal(expected, PlantedModel.Scores(loaded.Transform(CapitalTask.View(fresh, rows))));
        var fitted = Assert.IsType<BalanceRetentionTransformer>(((IEnumerable<ITransformer>)model).ElementAt(3));
        var balancing = Assert.IsType<BalanceRetentionTransformer>(((IEnumerable<ITransformer>)loaded).ElementAt(3));
        Assert.Equal((0.7, "Score", fitted.TaskTokens, fitted.RetentionTokens), (balancing.Strength, balancing.ScoreColumnName, balancing.TaskTokens, balancing.RetentionTokens));
        Assert.Equal(fitted.Plans, balancing.Plans);
        Assert.All(fitted.Plans, plan => Assert.False(plan.ChangesNothing));
        using var engine = fresh.Model.CreatePredictionEngine<CapitalRow, Prediction>(loaded);
        var labels = model.Transform(data).GetColumn<string>("PredictedLabel").ToList();
        foreach (var (r, row) in rows.Index())
        {
            var prediction = engine.Predict(row);
            PlantedModel.AssertClose([expected[r]], [prediction.Score]);
            Assert.Equal(labels[r], prediction.PredictedLabel);
        }
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, null)]
    [InlineData(FineTuningMethod.Full, null)]
    [InlineData(FineTuningMethod.Full, 3)]
    public void File_HoldsWhatChangesAlone(FineTuningMethod method, int? rank)
    {
        using var folder = new TemporaryFolder();
        using var model = CapitalTask.Fit(method, PlantedModel.Quick());
        var scored = model.Transform(PlantedModel.Data());
        using var balancing = _ml.Transforms.BalanceRetention(new BalanceOptions { RetentionTexts = RetentionText.Some, Rank = rank }).Fit(scored);

        _ml.Model.Save(balancing, null, folder.File("balance.mlnet"));
        using var loaded = (BalanceRetentionTransformer)new MLContext().Model.Load(folder.File("balance.mlnet"), out _);

        using var zip = System.IO.Compression.ZipFile.OpenRead(folder.File("balance.mlnet"));
        var weights = Assert.Single(zip.Entries, entry => entry.Name.EndsWith(".safetensors", StringComparison.Ordinal));
        // Ten matrices of the tiny model have 32 inputs, two 64; of rows, eight have 32, two 64, two 32.
        var (inputs, outputs, whole) = (10 * 32 + 2 * 64, 8 * 32 + 2 * 64 + 2 * 32, 8 * 32 * 32 + 4 * 32 * 64);
        var bytes = (method, rank) switch
        {
            (FineTuningMethod.Lora, _) => 4 * inputs * sizeof(float),
            (_, null) => whole * 2,
            _ => 3 * (inputs + outputs) * sizeof(float),
        };
        Assert.InRange(weights.Length, bytes, bytes + (256 * 25));
        Assert.Equal(PlantedModel.Scores(balancing.Transform(scored)), PlantedModel.Scores(loaded.Transform(scored)));
    }

    [Fact]
    public void AfterMapKeyToValue_ATextLabel_StaysText()
    {
        using var model = CapitalTask.Fit(options: PlantedModel.Quick());
        var scored = model.Transform(PlantedModel.Data());
        var named = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(scored).Transform(scored);

        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(named);
        var balanced = balancing.Transform(named);

        Assert.Equal(TextDataViewType.Instance, balanced.Schema["PredictedLabel"].Type);
        var expected = PlantedModel.Scores(balanced).Select(row => CapitalTask.Labels[row.AsSpan().IndexOf(row.Max())]);
        Assert.Equal(expected, balanced.GetColumn<string>("PredictedLabel"));
        Assert.Equal(2, balanced.Schema.Count(column => column.Name == "Score"));
    }

    [Fact]
    public void Fit_AsksForTheTextAlone()
    {
        using var model = CapitalTask.Fit(options: PlantedModel.Quick());
        var spy = new SpyView(model.Transform(PlantedModel.Data()));

        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(spy);
        _ = PlantedModel.Scores(balancing.Transform(spy));

        Assert.Equal([spy.Schema["Sentence1"].Index], spy.Asked.Distinct());
    }

    [Fact]
    public void Pair_ReadsBothSentences()
    {
        var data = CapitalTask.Keyed(_ml, CapitalTask.Pairs(30), ["ant", "bee"]);
        using var model = CapitalTask.Trainer(_ml, options: PlantedModel.Quick() with { Sentence2ColumnName = "Sentence2" }).Fit(data);
        var spy = new SpyView(model.Transform(data));

        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(spy);

        Assert.Equal([spy.Schema["Sentence1"].Index, spy.Schema["Sentence2"].Index], spy.Asked.Distinct().Order());
        // Two texts of eight bytes and four special tokens a row.
        Assert.Equal(30 * 20, balancing.TaskTokens);
    }

    [Fact]
    public void LoadedWithoutItsBase_NeedsBaseModel()
    {
        using var folder = new TemporaryFolder();
        using var model = CapitalTask.Fit(FineTuningMethod.Full, PlantedModel.Quick() with { BaseStorage = BaseStorage.TunedOnly });
        var data = PlantedModel.Data();
        _ml.Model.Save(model, data.Schema, folder.File("model.mlnet"));
        using var loaded = (TextClassificationTransformer)new MLContext().Model.Load(folder.File("model.mlnet"), out _);
        var options = new BalanceOptions { RetentionTexts = RetentionText.Some };

        Assert.Contains("saved without its base", Assert.Throws<InvalidOperationException>(() => _ml.Transforms.BalanceRetention(options).Fit(loaded.Transform(data))).Message, StringComparison.Ordinal);
        using var balancing = _ml.Transforms.BalanceRetention(options with { BaseModel = CapitalTask.Base }).Fit(loaded.Transform(data));
        using var original = _ml.Transforms.BalanceRetention(options).Fit(model.Transform(data));

        Assert.Equal(original.Plans, balancing.Plans);
        Assert.Equal(PlantedModel.Scores(original.Transform(model.Transform(data))), PlantedModel.Scores(balancing.Transform(loaded.Transform(data))));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Dispose_AfterScoring_FreesTheCorrectionsAndTheNetwork(FineTuningMethod method)
    {
        using var model = CapitalTask.Fit(method, PlantedModel.Quick());
        var scored = model.Transform(PlantedModel.Data());
        _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(scored).Dispose();
        // Each Parameter ever made stays in TorchSharp's count: those of the two encoders that collect, and of the network that scores.
        var collecting = 2 * CapitalTask.ParameterCount(FineTuningMethod.Full) - 2 * 4;
        var scoring = CapitalTask.ParameterCount(method);
        var before = LiveTensors.Settled();

        var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(scored);
        Assert.Equal(before + collecting + 12, LiveTensors.Now);
        _ = PlantedModel.Scores(balancing.Transform(scored));
        balancing.Dispose();

        Assert.Equal(before + collecting + scoring, LiveTensors.Now);
    }

    [Fact]
    public void Fit_Failing_LeavesNothing()
    {
        using var model = CapitalTask.Fit(options: PlantedModel.Quick());
        var scored = model.Transform(PlantedModel.Data());
        var before = LiveTensors.Settled();

        Assert.ThrowsAny<ArgumentException>(() => _ml.Transforms.BalanceRetention(["a"]).Fit(scored));

        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void Dispose_WhileACursorReads_LetsItFinish()
    {
        var model = CapitalTask.Fit(options: PlantedModel.Quick() with { BatchSize = 4 });
        var data = PlantedModel.Data();
        var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(model.Transform(data));
        var balanced = balancing.Transform(model.Transform(data));
        var expected = PlantedModel.Scores(balanced);
        var found = new List<float[]>();
        foreach (var row in balanced.GetColumn<float[]>("Score"))
        {
            balancing.Dispose();
            model.Dispose();
            found.Add(row);
        }

        Assert.Equal(expected, found);
        Assert.Contains("The balancing was disposed", Assert.Throws<ObjectDisposedException>(() => _ml.Model.Save(balancing, null, Stream.Null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_Logs_WhatItDid()
    {
        var lines = new List<string>();
        _ml.Log += (_, e) => lines.Add(e.Message);
        using var model = CapitalTask.Fit(options: PlantedModel.Quick());

        using var balancing = _ml.Transforms.BalanceRetention(RetentionText.Some).Fit(model.Transform(PlantedModel.Data()));

        Assert.Contains(lines, line => line.Contains($"Moments of {balancing.TaskTokens} tokens of task rows and {balancing.RetentionTokens} of retention texts.", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("Strength 0.5 changes 12 of 12 matrices.", StringComparison.Ordinal));
    }
}

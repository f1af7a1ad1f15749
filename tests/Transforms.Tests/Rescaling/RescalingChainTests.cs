using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Testing;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms.Tests.Rescaling;

/// <summary>The rescaling in pipelines, the way a user goes.</summary>
[Collection(ProcessWide.Name)]
public sealed class RescalingChainTests
{
    private readonly MLContext _ml = new(1);

    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";
        public float[] Score { get; set; } = [];
    }

    private sealed class NumberRow
    {
        public float Label { get; set; }
        public string Sentence1 { get; set; } = "";
    }

    /// <summary>Continues from a planted model at almost no rate: what a fit of the chain yields has the intruders.</summary>
    private static TextClassificationOptions FromPlanted(TextClassificationTransformer planted) => CapitalTask.Options with
    {
        InitialModel = InitialModel.From(planted), LearningRate = 1e-9, MaxEpochs = 1,
    };

    [Fact]
    public void Pipeline_BeforeMapKeyToValue_SavedAndLoaded_PredictsTheSame()
    {
        using var folder = new TemporaryFolder();
        using var planted = PlantedModel.Lora();
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(CapitalTask.Trainer(_ml, options: FromPlanted(planted)))
            .Append(_ml.Transforms.RescaleIntruderDimensions(scale: 0.3))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var rows = CapitalTask.Rows(40, seed: 3);
        var data = CapitalTask.View(_ml, rows);
        using var model = pipeline.Fit(data);
        _ml.Model.Save(model, data.Schema, folder.File("model.mlnet"));

        var fresh = new MLContext();
        var loaded = fresh.Model.Load(folder.File("model.mlnet"), out _);

        var expected = PlantedModel.Scores(model.Transform(data));
        Assert.Equal(expected, PlantedModel.Scores(loaded.Transform(CapitalTask.View(fresh, rows))));
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(planted.Transform(PlantedModel.Data(40, 3))), expected));
        var parts = ((IEnumerable<ITransformer>)loaded).ToList();
        var rescaling = Assert.IsType<IntruderRescalingTransformer>(parts[2]);
        Assert.Equal((0.3, RescalingKind.Top), (rescaling.Scale, rescaling.Which));
        var fitted = Assert.IsType<IntruderRescalingTransformer>(((IEnumerable<ITransformer>)model).ElementAt(2));
        Assert.Equal(Numbers(fitted), Numbers(rescaling));
        using var engine = fresh.Model.CreatePredictionEngine<CapitalRow, Prediction>(loaded);
        foreach (var (r, row) in rows.Index())
        {
            var prediction = engine.Predict(row);
            PlantedModel.AssertClose([expected[r]], [prediction.Score]);
            Assert.Contains(prediction.PredictedLabel, CapitalTask.Labels);
        }

        static IEnumerable<string> Numbers(IntruderRescalingTransformer transformer) => transformer.Plans.Select(plan =>
            $"{plan.Name} {plan.Kind} {plan.Scale} {string.Join(',', plan.Triples)} {plan.UniformFactor} {plan.Frobenius} {plan.DeltaFrobenius} {plan.Distance}");
    }

    [Fact]
    public void File_HoldsTheFactorsAlone()
    {
        using var folder = new TemporaryFolder();
        using var planted = PlantedModel.Lora();
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(planted.Transform(PlantedModel.Data()));

        _ml.Model.Save(rescaling, null, folder.File("rescaling.mlnet"));

        using var zip = System.IO.Compression.ZipFile.OpenRead(folder.File("rescaling.mlnet"));
        var weights = zip.Entries.Where(entry => entry.Name.EndsWith(".safetensors", StringComparison.Ordinal)).ToList();
        var changed = rescaling.Plans.Where(plan => !plan.ChangesNothing).ToList();
        var numbers = changed.Sum(plan => plan.Triples.Count * SizeOf(plan.Name));
        Assert.Equal("corrections.safetensors", Assert.Single(weights).Name);
        Assert.InRange(weights[0].Length, numbers * sizeof(float), numbers * sizeof(float) + 256 * (changed.Count + 1));

        // (rows + columns) of the tiny model's matrices.
        static int SizeOf(string name) => name.Contains("intermediate", StringComparison.Ordinal) || (name.EndsWith("output.dense", StringComparison.Ordinal) && !name.Contains("attention", StringComparison.Ordinal)) ? 96 : 64;
    }

    [Fact]
    public void AfterMapKeyToValue_ATextLabel_StaysText()
    {
        using var planted = PlantedModel.Lora();
        var scored = planted.Transform(PlantedModel.Data());
        var named = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(scored).Transform(scored);

        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0).Fit(named);
        var rescaled = rescaling.Transform(named);

        Assert.Equal(TextDataViewType.Instance, rescaled.Schema["PredictedLabel"].Type);
        var expected = PlantedModel.Scores(rescaled).Select(row => CapitalTask.Labels[row.AsSpan().IndexOf(row.Max())]);
        Assert.Equal(expected, rescaled.GetColumn<string>("PredictedLabel"));
        Assert.Equal(2, rescaled.Schema.Count(column => column.Name == "Score"));
    }

    [Fact]
    public void AfterMapKeyToValue_ANumber_StaysThatNumber()
    {
        var rows = CapitalTask.Rows(32).Select(row => new NumberRow { Label = 0.5f + Array.IndexOf(CapitalTask.Labels, row.Label), Sentence1 = row.Sentence1 }).ToArray();
        var data = _ml.Data.LoadFromEnumerable(rows);
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
        using var model = CapitalTask.Trainer(_ml, options: PlantedModel.Quick()).Fit(keyed);
        var scored = model.Transform(keyed);
        var named = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(scored).Transform(scored);

        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(1).Fit(named);

        Assert.Equal(NumberDataViewType.Single, rescaling.Transform(named).Schema["PredictedLabel"].Type);
        Assert.Equal(named.GetColumn<float>("PredictedLabel"), rescaling.Transform(named).GetColumn<float>("PredictedLabel"));
    }

    [Fact]
    public void Transform_ReadingTheNewScores_AsksForTheTextAlone()
    {
        using var planted = PlantedModel.Lora();
        var spy = new SpyView(planted.Transform(PlantedModel.Data()));
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(spy);
        Assert.Empty(spy.Asked);

        _ = PlantedModel.Scores(rescaling.Transform(spy));

        Assert.Equal([spy.Schema["Sentence1"].Index], spy.Asked.Distinct());
    }

    [Fact]
    public void ReloadedModel_WithARescalingAppended_EqualsTheOneThatWasNot()
    {
        using var folder = new TemporaryFolder();
        using var planted = PlantedModel.Lora();
        var data = PlantedModel.Data();
        _ml.Model.Save(planted, data.Schema, folder.File("model.mlnet"));
        using var loaded = (TextClassificationTransformer)new MLContext().Model.Load(folder.File("model.mlnet"), out _);
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(loaded.Transform(data));
        using var original = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(planted.Transform(data));

        Assert.Equal(PlantedModel.Scores(original.Transform(planted.Transform(data))), PlantedModel.Scores(rescaling.Transform(loaded.Transform(data))));
        // The two are one model, so each rescaling serves the other.
        Assert.Equal(PlantedModel.Scores(original.Transform(loaded.Transform(data))), PlantedModel.Scores(rescaling.Transform(planted.Transform(data))));
    }

    [Fact]
    public void TwoModels_ScoreColumnName_Chooses()
    {
        using var first = PlantedModel.Lora();
        using var second = PlantedModel.Lora(options: PlantedModel.Quick() with { ScoreColumnName = "OtherScore", OutputColumnName = "OtherLabel", Seed = 9 });
        var data = second.Transform(first.Transform(PlantedModel.Data()));

        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0, scoreColumnName: "OtherScore").Fit(data);

        var rescaled = rescaling.Transform(data);
        Assert.Equal(PlantedModel.Scores(data), PlantedModel.Scores(rescaled));
        Assert.True(PlantedModel.Differ(PlantedModel.Scores(data, "OtherScore"), PlantedModel.Scores(rescaled, "OtherScore")));
        Assert.Equal(data.Schema["PredictedLabel"].Index, rescaled.Schema["PredictedLabel"].Index);
        Assert.NotEqual(data.Schema["OtherLabel"].Index, rescaled.Schema["OtherLabel"].Index);
    }

    [Fact]
    public void CopiedCachedAndSelected_Scores_StillLeadToTheModel()
    {
        using var planted = PlantedModel.Lora();
        var scored = planted.Transform(PlantedModel.Data());
        var copied = _ml.Transforms.CopyColumns("Copy", "Score").Fit(scored).Transform(scored);
        var selected = _ml.Transforms.SelectColumns("Sentence1", "Copy").Fit(copied).Transform(_ml.Data.Cache(copied));
        using var direct = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(scored);

        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3, scoreColumnName: "Copy").Fit(selected);

        var rescaled = rescaling.Transform(selected);
        Assert.Equal(PlantedModel.Scores(direct.Transform(scored)), PlantedModel.Scores(rescaled, "Copy"));
        Assert.IsType<KeyDataViewType>(rescaled.Schema["PredictedLabel"].Type);
    }

    [Fact]
    public void CrossValidate_TheWholePipeline_RescalesInEveryFold()
    {
        using var planted = PlantedModel.Lora();
        var pipeline = CapitalTask.Trainer(_ml, options: FromPlanted(planted)).Append(_ml.Transforms.RescaleIntruderDimensions(0.3));

        var folds = _ml.MulticlassClassification.CrossValidate(CapitalTask.Keyed(_ml, CapitalTask.Rows(60)), pipeline, numberOfFolds: 2);

        foreach (var fold in folds)
        {
            var rescaling = Assert.IsType<IntruderRescalingTransformer>(((IEnumerable<ITransformer>)fold.Model).Last());
            Assert.Superset(PlantedModel.Planted.ToHashSet(), rescaling.Plans.Where(plan => !plan.ChangesNothing).Select(plan => plan.Name).ToHashSet());
            ((IDisposable)fold.Model).Dispose();
        }
    }

    [Fact]
    public void NoIntruder_PassesThroughUnchanged_AndSaysSo()
    {
        var lines = new List<string>();
        _ml.Log += (_, e) => lines.Add(e.Message);
        using var folder = new TemporaryFolder();
        using var plain = PlantedModel.Plain();
        var scored = plain.Transform(PlantedModel.Data());

        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0).Fit(scored);
        _ml.Model.Save(rescaling, null, folder.File("rescaling.mlnet"));
        using var loaded = (IntruderRescalingTransformer)new MLContext().Model.Load(folder.File("rescaling.mlnet"), out _);

        Assert.Contains(lines, line => line.Contains("No intruder dimension among the leading 10 singular vectors of 12 matrices", StringComparison.Ordinal));
        Assert.Equal(PlantedModel.Scores(scored), PlantedModel.Scores(rescaling.Transform(scored)));
        Assert.Equal(PlantedModel.Scores(scored), PlantedModel.Scores(loaded.Transform(scored)));
    }

    [Fact]
    public void Dispose_AfterScoring_FreesTheFactorsAndTheNetwork()
    {
        using var planted = PlantedModel.Lora();
        var scored = planted.Transform(PlantedModel.Data());
        // Each Parameter ever made stays in TorchSharp's count: those of the network that scores.
        var scoring = CapitalTask.ParameterCount(FineTuningMethod.Lora);
        var before = LiveTensors.Settled();

        var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(scored);
        var factors = 2 * rescaling.Plans.Count(plan => !plan.ChangesNothing);
        Assert.Equal(before + factors, LiveTensors.Now);
        _ = PlantedModel.Scores(rescaling.Transform(scored));
        Assert.Equal(before + scoring + factors + factors, LiveTensors.Now);
        rescaling.Dispose();

        Assert.Equal(before + scoring + factors, LiveTensors.Now);
    }

    [Fact]
    public void Dispose_WhileACursorReads_LetsItFinish()
    {
        var planted = PlantedModel.Lora(options: PlantedModel.Quick() with { BatchSize = 4 });
        var data = PlantedModel.Data();
        var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(planted.Transform(data));
        var rescaled = rescaling.Transform(planted.Transform(data));
        var expected = PlantedModel.Scores(rescaled);
        var found = new List<float[]>();
        foreach (var row in rescaled.GetColumn<float[]>("Score"))
        {
            rescaling.Dispose();
            planted.Dispose();
            found.Add(row);
        }

        Assert.Equal(expected, found);
        Assert.Throws<ObjectDisposedException>(() => PlantedModel.Scores(rescaled));
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.Save(rescaling, null, Stream.Null));
    }

    [Fact]
    public void Schema_Kept_KeepsNoModel()
    {
        var schema = ForgetAModel();
        LiveTensors.Settled();

        Assert.Null(FineTunedModelAnnotation.Reference(schema["Score"]).Model);
        var error = Assert.Throws<ObjectDisposedException>(() => _ml.Transforms.RescaleIntruderDimensions().Fit(new EmptyView(schema)));
        Assert.Contains("only its schema was kept", error.Message, StringComparison.Ordinal);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static DataViewSchema ForgetAModel() => PlantedModel.Lora().GetOutputSchema(PlantedModel.Data().Schema);

    private sealed class EmptyView(DataViewSchema schema) : IDataView
    {
        public DataViewSchema Schema => schema;
        public bool CanShuffle => false;
        public long? GetRowCount() => 0;
        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) => throw new NotSupportedException();
        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => throw new NotSupportedException();
    }
}

using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>inspect --model: what fine-tuning did to a saved model.</summary>
public sealed class InspectModelTests(TinyBase tiny) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Json => _folder.File("run.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Inspect_ModelTrainedByLora_FindsWhatItsAdapterShows()
    {
        var (model, adapter) = (_folder.File("m.mlnet"), _folder.File("adapter"));
        Run.Json(Json, [.. tiny.Train(), "--rank", "2", "--out", model, "--adapter-out", adapter]);

        var ofModel = Run.Json(Json, ["inspect", "--base", tiny.Folder, "--model", model, .. ModelChanges.Settings]);
        var alone = Run.Json(Json, ["inspect", "--model", model, .. ModelChanges.Settings]);
        var ofAdapter = Run.Json(Json, ["inspect", "--base", tiny.Folder, "--adapter", adapter, .. ModelChanges.Settings]);

        Assert.Equal(12, ofAdapter.GetProperty("matrices").GetArrayLength());
        Assert.True(ofAdapter.GetProperty("totals").GetProperty("intruders").GetInt32() > 0);
        Assert.Equal(ModelChanges.Findings(ofAdapter), ModelChanges.Findings(ofModel));
        Assert.Equal(ModelChanges.Findings(ofAdapter), ModelChanges.Findings(alone));
        Assert.True(ofModel.GetProperty("skipped").TryGetProperty("classifier.out_proj.weight", out _));
    }

    [Fact]
    public void Inspect_ModelTunedInFull_MeasuresEveryLinearMap()
    {
        var model = _folder.File("m.mlnet");
        Run.Json(Json, [.. tiny.Train(), "--method", "full", "--out", model]);

        var found = Run.Json(Json, ["inspect", "--model", model, .. ModelChanges.Settings]);

        Assert.Equal(12, found.GetProperty("matrices").GetArrayLength());
        Assert.All(found.GetProperty("matrices").EnumerateArray(), matrix => Assert.True(matrix.GetProperty("delta_frobenius").GetDouble() > 0));
        Assert.True(found.GetProperty("skipped").TryGetProperty("roberta.embeddings.word_embeddings.weight", out _));
    }

    [Fact]
    public void Inspect_ModelSavedWithoutItsBase_AsksForItAndTakesIt()
    {
        var model = SaveTunedOnly();
        string[] inspect = ["inspect", "--model", model, "--device", "cpu", "--no-cache"];

        Run.Of(inspect).AssertRefused("m.mlnet: the model was saved without its base, to which it is to be compared; name that with --base.");
        Assert.Equal(12, Run.Json(Json, [.. inspect, "--base", tiny.Folder]).GetProperty("matrices").GetArrayLength());
    }

    [Fact]
    public void Inspect_ModelThatCannotServe_IsRefusedAndNothingWritten()
    {
        var ml = new MLContext(1);
        var view = ml.Data.LoadFromEnumerable([new Row { Text = "a" }]);
        var foreign = _folder.File("foreign.mlnet");
        ml.Model.Save(ml.Transforms.Text.NormalizeText("Text").Fit(view), view.Schema, foreign);
        void Refused(string expected, params string[] inputs) =>
            Run.Of(["inspect", .. inputs, "--json", Json, "--device", "cpu", "--no-cache"]).AssertRefused(expected);

        Refused("foreign.mlnet: The model holds no fine-tuned text classifier (TextNormalizingTransformer).", "--model", foreign);
        Refused("no.mlnet: there is no such file; --model takes a model saved by train --out.", "--model", _folder.File("no.mlnet"));
        Refused("x.mlnet: cannot be loaded as a model: ", "--model", _folder.Write("x.mlnet", "no zip"));
        Refused("The base given is 'mini-encoder'", "--model", tiny.Model, "--base", "mini-encoder");
        Refused("no such folder. Give a checkpoint folder, or mini-encoder.", "--model", tiny.Model, "--base", _folder.File("absent"));
        Refused("--adapter and --model are given; give one of them.", "--model", tiny.Model, "--adapter", _folder.FullName, "--base", tiny.Folder);

        Assert.False(File.Exists(Json));
    }

    private string SaveTunedOnly()
    {
        var ml = new MLContext(1);
        var rows = ml.Data.LoadFromEnumerable(Enumerable.Range(0, 8).Select(n => new Row { Label = n % 2 == 0 ? "good" : "bad", Text = $"film {n}" }));
        var trainer = ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(
            PretrainedModel.FromFolder(tiny.Folder),
            new TextClassificationOptions { Sentence1ColumnName = "Text", MaxEpochs = 1, Device = "cpu", BaseStorage = BaseStorage.TunedOnly });
        var fitted = ml.Transforms.Conversion.MapValueToKey("Label").Append(trainer).Fit(rows);
        using (fitted) ml.Model.Save(fitted, rows.Schema, _folder.File("m.mlnet"));
        return _folder.File("m.mlnet");
    }

    private sealed class Row
    {
        public string Label { get; set; } = "";

        public string Text { get; set; } = "";
    }
}

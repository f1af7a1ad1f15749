using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>rescale --model: an adapter after LoRA, a checkpoint after full fine-tuning.</summary>
public sealed class RescaleModelTests(TinyBase tiny) : IDisposable
{
    private const string Weights = "model.safetensors";
    private const string AdapterWeights = "adapter_model.safetensors";

    private readonly TemporaryFolder _folder = new();

    private string Json => _folder.File("run.json");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("all", "exact")]
    [InlineData("top", "3")]
    [InlineData("uniform-global", "exact")]
    public void Rescale_ModelTrainedByLora_WritesWhatItsAdapterRescaledGives(string which, string rank)
    {
        var (model, adapter) = (_folder.File("m.mlnet"), _folder.File("adapter"));
        Run.Json(Json, [.. tiny.Train(), "--rank", "2", "--out", model, "--adapter-out", adapter]);
        string[] rescaling = ["--scale", "0.3", "--which", which, "--rank", rank, .. ModelChanges.Settings];

        var ofModel = Run.Json(Json, ["rescale", "--model", model, .. rescaling, "--out", _folder.File("a")]);
        var ofAdapter = Run.Json(Json, ["rescale", "--base", tiny.Folder, "--adapter", adapter, .. rescaling, "--out", _folder.File("b")]);

        Assert.Equal("adapter", ofModel.GetProperty("form").GetString());
        Assert.Equal(ofAdapter.GetProperty("matrices").GetRawText(), ofModel.GetProperty("matrices").GetRawText());
        Assert.Contains(ofModel.GetProperty("matrices").EnumerateArray(), matrix => matrix.GetProperty("distance").GetDouble() > 0);
        Assert.Equal(0, ModelChanges.Difference(_folder.File("a"), _folder.File("b"), AdapterWeights));
    }

    [Fact]
    public void Rescale_ModelTrainedByLoraAtFactorOne_IsItsAdapterToTheBit()
    {
        var (model, adapter) = (_folder.File("m.mlnet"), _folder.File("adapter"));
        Run.Json(Json, [.. tiny.Train(), "--out", model, "--adapter-out", adapter]);

        Run.Json(Json, ["rescale", "--model", model, "--scale", "1", .. ModelChanges.Settings, "--out", _folder.File("a")]);

        Assert.Equal(File.ReadAllBytes(Path.Combine(adapter, AdapterWeights)), File.ReadAllBytes(Path.Combine(_folder.File("a"), AdapterWeights)));
    }

    [Fact]
    public void Rescale_ModelTunedInFull_WritesACheckpointLikeOneRescaledFromFiles()
    {
        var model = _folder.File("m.mlnet");
        Run.Json(Json, [.. tiny.Train(), "--method", "full", "--out", model]);
        string[] rescaling = ["--scale", "0.3", "--which", "all", .. ModelChanges.Settings];
        var tuned = _folder.File("tuned");
        Run.Json(Json, ["rescale", "--model", model, "--scale", "1", .. ModelChanges.Settings, "--out", tuned]);

        var inspected = Run.Json(Json, ["inspect", "--model", model, .. ModelChanges.Settings]);
        var ofFiles = Run.Json(Json, ["inspect", "--base", tiny.Folder, "--tuned", tuned, .. ModelChanges.Settings]);
        var rescaled = Run.Json(Json, ["rescale", "--model", model, .. rescaling, "--out", _folder.File("a")]);
        Run.Json(Json, ["rescale", "--base", tiny.Folder, "--tuned", tuned, .. rescaling, "--out", _folder.File("b")]);

        Assert.Equal("checkpoint", rescaled.GetProperty("form").GetString());
        Assert.Equal(ModelChanges.Findings(ofFiles), ModelChanges.Findings(inspected));
        Assert.Equal(0, ModelChanges.Difference(_folder.File("a"), _folder.File("b"), Weights));
        Assert.True(ModelChanges.Difference(_folder.File("a"), tuned, Weights) > 0);
        Assert.Contains("\"RobertaForSequenceClassification\"", File.ReadAllText(Path.Combine(_folder.File("a"), "config.json")), StringComparison.Ordinal);
        Assert.Contains("\"good\"", File.ReadAllText(Path.Combine(_folder.File("a"), "config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Rescale_IntoTheFolderOfTheModel_IsRefused() =>
        Run.Of("rescale", "--model", tiny.Model, "--scale", "0", "--out", Path.GetDirectoryName(tiny.Model)!, "--device", "cpu")
            .AssertRefused("--model is read from this folder; choose another for --out.");
}

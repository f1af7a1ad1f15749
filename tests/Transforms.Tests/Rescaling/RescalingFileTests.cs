using System.IO.Compression;
using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests.Rescaling;

/// <summary>Saved rescalings, and what damage does.</summary>
[Collection(ProcessWide.Name)]
public sealed class RescalingFileTests : IDisposable
{
    private const string Corrections = "corrections.safetensors";

    private readonly MLContext _ml = new(1);
    private readonly TemporaryFolder _folder = new();
    private readonly TextClassificationTransformer _model = PlantedModel.Lora();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Load_ChosenByValidation_BringsTheTrialsBack()
    {
        var options = new IntruderOptions { ValidationSet = CapitalTask.View(_ml, CapitalTask.Rows(20)), ScaleGrid = [0, 0.5], AccuracyTolerance = 1 };
        using var fitted = Save(options);
        using var loaded = Load();

        Assert.Equal(fitted.Trials, loaded.Trials);
        Assert.Equal((0.0, "Score"), (loaded.Scale, loaded.ScoreColumnName));
    }

    [Theory]
    [InlineData("\"scale\": 0.5", "\"scale\": -0.5", "the scale is -0.5")]
    [InlineData("\"which\": \"Top\"", "\"which\": 77", "what is rescaled is 77")]
    [InlineData("\"score_column_name\": \"Score\"", "\"score_column_name\": \" \"", "the score column's name is empty")]
    [InlineData("\"model_fingerprint\": \"", "\"model_fingerprint\": \"x", "the model's fingerprint is 'x")]
    [InlineData("\"corrected\": [", "\"corrected\": [ \"nothing\",", "the correction of 'nothing' has no plan")]
    [InlineData("\"corrected\": [", "\"corrected\": [ null,", "a list holds nothing")]
    [InlineData("\"corrected\": [", "\"corrected\": [ \"" + PlantedModel.Query + "\",", "a matrix has two corrections")]
    public void Load_ChangedHeader_IsRefusedByName(string found, string changed, string expected)
    {
        Save(new IntruderOptions { Scale = 0.5 }).Dispose();
        Edit("rescaling.json", text =>
        {
            Assert.Contains(found, text, StringComparison.Ordinal);
            return text.Replace(found, changed, StringComparison.Ordinal);
        });

        Assert.Contains(expected, LoadError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ATensorTooMany_IsRefused()
    {
        Save(new IntruderOptions { Scale = 0.5 }).Dispose();
        Edit("rescaling.json", text => text.Replace($"\"{PlantedModel.Query}\",\n    \"{PlantedModel.Output}\"", $"\"{PlantedModel.Output}\"", StringComparison.Ordinal));

        Assert.Contains("that are not the", LoadError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ValueThatIsNoNumber_IsRefused()
    {
        Save(new IntruderOptions { Scale = 0.5 }).Dispose();
        Rewrite(tensors => tensors[$"{PlantedModel.Query}.A"][0, 3] = float.NaN);

        Assert.Contains($"{PlantedModel.Query}.A", LoadError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Transform_FactorsOfAnotherShape_AreRefusedWhenTheModelIsMet()
    {
        Save(new IntruderOptions { Scale = 0.5 }).Dispose();
        Rewrite(tensors => tensors[$"{PlantedModel.Query}.A"] = zeros([1, 31], dtype: float32, device: CPU));
        using var loaded = Load();
        var before = LiveTensors.Settled();

        var error = Assert.Throws<InvalidDataException>(() => PlantedModel.Scores(loaded.Transform(_model.Transform(PlantedModel.Data()))));

        Assert.Contains("is A (1, 31), B (32, 1); a matrix of (32, 32) wants A (rank, 32), B (32, rank)", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void Load_WithoutTheFactors_IsRefused()
    {
        Save(new IntruderOptions { Scale = 0.5 }).Dispose();
        using (var zip = ZipFile.Open(_folder.File("m.mlnet"), ZipArchiveMode.Update)) zip.Entries.Single(entry => entry.Name == Corrections).Delete();

        Assert.Contains("it is incomplete, save the model again", LoadError(), StringComparison.Ordinal);
    }

    private IntruderRescalingTransformer Save(IntruderOptions options)
    {
        var rescaling = _ml.Transforms.RescaleIntruderDimensions(options).Fit(_model.Transform(PlantedModel.Data()));
        _ml.Model.Save(rescaling, null, _folder.File("m.mlnet"));
        return rescaling;
    }

    private IntruderRescalingTransformer Load() => (IntruderRescalingTransformer)new MLContext().Model.Load(_folder.File("m.mlnet"), out _);

    private string LoadError() => Assert.ThrowsAny<Exception>(Load).ToString();

    private void Edit(string name, Func<string, string> change) =>
        Replace(name, content => System.Text.Encoding.UTF8.GetBytes(change(System.Text.Encoding.UTF8.GetString(content))));

    private void Rewrite(Action<Dictionary<string, Tensor>> change) => Replace(Corrections, content =>
    {
        using var scope = NewDisposeScope();
        using var file = Checkpoint.Open(new MemoryStream(content), Corrections);
        var tensors = file.Entries.Keys.ToDictionary(key => key, key => file.Read(key));
        change(tensors);
        using var written = new MemoryStream();
        SafetensorsWriter.Write(written, [.. tensors]);
        return written.ToArray();
    });

    private void Replace(string name, Func<byte[], byte[]> change)
    {
        using var zip = ZipFile.Open(_folder.File("m.mlnet"), ZipArchiveMode.Update);
        var entry = zip.Entries.Single(entry => entry.Name == name);
        using var content = new MemoryStream();
        using (var stream = entry.Open()) stream.CopyTo(content);
        var path = entry.FullName;
        entry.Delete();
        using var changed = zip.CreateEntry(path, CompressionLevel.NoCompression).Open();
        changed.Write(change(content.ToArray()));
    }
}

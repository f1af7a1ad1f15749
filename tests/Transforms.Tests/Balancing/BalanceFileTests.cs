using System.IO.Compression;
using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Transforms.Tests.Balancing;

/// <summary>Saved balanced repairs, and what damage does.</summary>
[Collection(ProcessWide.Name)]
public sealed class BalanceFileTests : IDisposable
{
    private readonly MLContext _ml = new(1);
    private readonly TemporaryFolder _folder = new();
    private readonly TextClassificationTransformer _model = CapitalTask.Fit(options: PlantedModel.Quick());

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Load_ChosenByValidation_BringsTheTrialsBack()
    {
        using var fitted = Save(new BalanceOptions
        {
            RetentionTexts = RetentionText.Some, ValidationSet = CapitalTask.View(_ml, CapitalTask.Rows(20)), StrengthGrid = [0.3], AccuracyTolerance = 1,
        });
        using var loaded = Load();

        Assert.Equal(fitted.Trials, loaded.Trials);
        Assert.Equal(0.3, loaded.Strength);
    }

    [Theory]
    [InlineData("\"strength\": 0.5", "\"strength\": -0.5", "the strength is -0.5")]
    [InlineData("\"form\": \"Down\"", "\"form\": 77", "the corrections' form is 77")]
    [InlineData("\"form\": \"Down\"", "\"form\": \"Shift\"", "that are not the 12 that balance.json names")]
    [InlineData("\"score_column_name\": \"Score\"", "\"score_column_name\": \" \"", "the score column's name is empty")]
    [InlineData("\"task_tokens\": ", "\"task_tokens\": -", "the moments are of -")]
    [InlineData("\"model_fingerprint\": \"", "\"model_fingerprint\": \"x", "the model's fingerprint is 'x")]
    [InlineData("\"corrected\": [", "\"corrected\": [ \"nothing\",", "the correction of 'nothing' has no plan")]
    [InlineData("\"corrected\": [", "\"corrected\": [ null,", "a list holds nothing")]
    [InlineData("\"corrected\": [", "\"corrected\": [ \"" + PlantedModel.Query + "\",", "a matrix has two corrections")]
    public void Load_ChangedHeader_IsRefusedByName(string found, string changed, string expected)
    {
        Save(new BalanceOptions { RetentionTexts = RetentionText.Some }).Dispose();
        Edit("balance.json", text =>
        {
            Assert.Contains(found, text, StringComparison.Ordinal);
            return text.Replace(found, changed, StringComparison.Ordinal);
        });

        Assert.Contains(expected, Assert.ThrowsAny<Exception>(Load).ToString(), StringComparison.Ordinal);
    }

    private BalanceRetentionTransformer Save(BalanceOptions options)
    {
        var balancing = _ml.Transforms.BalanceRetention(options).Fit(_model.Transform(PlantedModel.Data()));
        _ml.Model.Save(balancing, null, _folder.File("m.mlnet"));
        return balancing;
    }

    private BalanceRetentionTransformer Load() => (BalanceRetentionTransformer)new MLContext().Model.Load(_folder.File("m.mlnet"), out _);

    private void Edit(string name, Func<string, string> change)
    {
        using var zip = ZipFile.Open(_folder.File("m.mlnet"), ZipArchiveMode.Update);
        var entry = zip.Entries.Single(entry => entry.Name == name);
        string text;
        using (var reader = new StreamReader(entry.Open())) text = reader.ReadToEnd();
        var path = entry.FullName;
        entry.Delete();
        using var changed = new StreamWriter(zip.CreateEntry(path, CompressionLevel.NoCompression).Open());
        changed.Write(change(text));
    }
}

using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

public class ValidationTests
{
    private static readonly CapitalRow[] Held = CapitalTask.Rows(37, seed: 3);

    [Fact]
    public void ValidationSet_RawOrMappedInAnotherOrder_GivesTheSameAccuracy()
    {
        var ml = new MLContext(1);
        var raw = FitWith(ml, CapitalTask.View(ml, Held));
        var mapped = FitWith(ml, CapitalTask.Keyed(ml, Held));
        var reordered = FitWith(ml, CapitalTask.Keyed(ml, Held, order: ["cat", "ant", "bee"]));
        var byAppearance = FitWith(ml, ml.Transforms.Conversion.MapValueToKey("Label").Fit(CapitalTask.View(ml, Held)).Transform(CapitalTask.View(ml, Held)));

        Assert.InRange(raw[^1].ValidationAccuracy!.Value, 0.8, 1);
        foreach (var other in new[] { mapped, reordered, byAppearance })
            Assert.Equal(raw.Select(WithoutTime), other.Select(WithoutTime));
    }

    [Theory]
    [InlineData(16)]
    [InlineData(36)]
    [InlineData(5)]
    public void ValidationSet_WithAnUnevenLastBatch_CountsEveryRow(int batchSize)
    {
        var ml = new MLContext(1);
        var options = CapitalTask.Options with { MaxEpochs = 2, BatchSize = batchSize, ValidationSet = CapitalTask.View(ml, Held), EarlyStoppingPatience = 9 };
        using var model = CapitalTask.Fit(options: options);
        var scores = CapitalTask.Scores(model, Held);
        var truth = Held.Select(row => Array.IndexOf(CapitalTask.Labels, row.Label)).ToArray();
        var right = scores.Select((row, r) => Array.IndexOf(row, row.Max()) == truth[r]).ToArray();

        var epoch = model.TrainingReport.Epochs[model.TrainingReport.KeptEpoch - 1];

        Assert.Equal(right.Count(hit => hit) / 37.0, epoch.ValidationAccuracy!.Value, 1e-12);
        Assert.Equal(scores.Select((row, r) => -Math.Log(row[truth[r]])).Average(), epoch.ValidationLoss!.Value, 1e-5);
        Assert.Equal(
            Enumerable.Range(0, 3).Average(c => right.Where((_, r) => truth[r] == c).Average(hit => hit ? 1.0 : 0)),
            epoch.ValidationMacroAccuracy!.Value, 1e-12);
        Assert.Equal(37, model.TrainingReport.ValidationRows);
        Assert.Equal(64, model.TrainingReport.TrainingRows);
    }

    [Fact]
    public void ValidationFraction_TakesItsShareFromTheTrainingRows()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1, ValidationFraction = 0.25 });

        var report = model.TrainingReport;
        Assert.InRange(report.ValidationRows, 14, 18);
        Assert.Equal(64, report.TrainingRows + report.ValidationRows);
        Assert.NotNull(report.Epochs[0].ValidationLoss);
    }

    [Fact]
    public void EarlyStoppingPatience_WithoutImprovement_EndsTheFit()
    {
        // A rate so high that the outcome jumps about: the best epoch is not the last.
        var ml = new MLContext(1);
        var options = CapitalTask.Options with
        {
            LearningRate = 0.5, WarmupRatio = 0, MaxEpochs = 12, EarlyStoppingPatience = 2, ValidationSet = CapitalTask.View(ml, Held),
        };
        using var model = CapitalTask.Fit(options: options);

        var report = model.TrainingReport;
        Assert.Equal(report.KeptEpoch + 2, report.Epochs.Count);
        using var patient = CapitalTask.Fit(options: options with { EarlyStoppingPatience = 20 });
        Assert.Equal(12, patient.TrainingReport.Epochs.Count);
    }

    [Fact]
    public void ValidationSet_LabelsUnseenInTraining_NamesThem()
    {
        var ml = new MLContext(1);
        var rows = CapitalTask.Rows(10);
        rows[4].Label = "dog";

        var error = Assert.Throws<ArgumentException>(() => FitWith(ml, CapitalTask.View(ml, rows)));

        Assert.Contains("'dog'", error.Message, StringComparison.Ordinal);
        Assert.Contains("ValidationSet", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidationSet_WithoutTheColumns_NamesThemAndTheTextColumns()
    {
        var ml = new MLContext(1);
        var view = ml.Data.LoadFromEnumerable(new[] { new { Other = "text", Number = 1f } });

        var error = Assert.ThrowsAny<ArgumentException>(() => FitWith(ml, view));

        Assert.Contains("'Sentence1'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Label'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Other'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidationSet_Empty_IsRefused()
    {
        var ml = new MLContext(1);

        var error = Assert.Throws<ArgumentException>(() => FitWith(ml, CapitalTask.View(ml, [])));

        Assert.Contains("ValidationSet has no labelled rows", error.Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<EpochReport> FitWith(MLContext ml, IDataView validation)
    {
        var options = CapitalTask.Options with { ValidationSet = validation };
        using var model = CapitalTask.Trainer(ml, options: options).Fit(CapitalTask.Keyed(ml, CapitalTask.Rows(240)));
        return model.TrainingReport.Epochs;
    }

    private static EpochReport WithoutTime(EpochReport epoch) => epoch with { Seconds = 0 };
}

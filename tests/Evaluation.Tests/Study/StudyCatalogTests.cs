using Microsoft.ML;
using MLNetLoRA.Evaluation.Tests.Forgetting;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Study;

[Collection(ProcessWide.Name)]
public sealed class StudyCatalogTests : IDisposable
{
    private readonly MLContext _ml = new(1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void RunStudy_EachRun_HasTheNumbersOfAModelMeasuredByItself()
    {
        var held = SharedWeights.HeldCount;         // by models that other tests keep
        var report = Studies.Run(_ml, Studies.Settings);

        Assert.Equal(6, report.Runs.Count);
        Assert.Equal((64, 40, 3), (report.Setup.TrainingRows, report.Setup.TestRows, report.Setup.Classes));
        foreach (var run in report.Runs.Where(run => run.Seed == 2)) AssertSameAlone(run);
        Assert.Equal(3, report.Points.Count);
        Assert.All(report.Points, point => Assert.Equal(2, point.Runs));
        Assert.Equal(report.Runs.Where(run => run.Tuning == StudyTuning.Full).Average(run => run.Forgetting), report.Points[0].Forgetting, 12);
        Assert.Equal(held, SharedWeights.HeldCount);

        // What was asked of the first rate and seed, and of nothing else.
        var asked = Assert.Single(report.Runs, run => run.Repair is not null);
        Assert.Equal((StudyTuning.Lora(2), 1e-2, 1), (asked.Tuning, asked.LearningRate, asked.Seed));
        Assert.Equal(asked.Forgetting, asked.Repair!.Unscaled.Forgetting, 1e-5);
        Assert.Equal(asked.Task.Accuracy, asked.Repair.UnscaledTask!.Accuracy);
        // A very large strength takes the change of every matrix back, which is all that a LoRA changes of the trunk.
        Assert.Equal([0.5, 1e6], asked.Balance.Select(point => point.Strength));
        Assert.Equal(0, asked.Balance[1].Forgetting, 1e-3);
        Assert.NotEqual(asked.Forgetting, asked.Balance[0].Forgetting);
        var most = asked.Matrices.MaxBy(matrix => matrix.Intruders)!;
        Assert.Equal(most.Name, asked.Similarity!.Name);
        Assert.All(asked.Similarity.Cosines, row => Assert.All(row, cosine => Assert.InRange(cosine, 0, 1)));
        Assert.Contains(report.ToDocument().Sections.SelectMany(section => section.Parts).OfType<ReportPicture>(), picture => picture.Title.Contains($"{most.Name} (LoRA r 2", StringComparison.Ordinal));
        Assert.All(report.Runs.Where(run => run != asked), run => Assert.Empty(run.Balance));
        Assert.Equal([1, 2], asked.Growth.Select(snapshot => snapshot.Epochs));
        Assert.True(asked.Growth[1].DeltaFrobenius > asked.Growth[0].DeltaFrobenius);
        Assert.Equal(["all runs"], report.Correlations.Select(correlation => correlation.Over).Distinct());
    }

    [Fact]
    public void RunStudy_WithARunsFolder_GoesOnWhereItWasCutOff()
    {
        var said = new Said { StopAt = "Run 4 of 6" };
        var settings = Studies.Settings with { RunsFolder = _folder.File("runs"), Progress = said, CancellationToken = said.Token };
        Assert.ThrowsAny<OperationCanceledException>(() => Studies.Run(_ml, settings));
        Assert.Equal(3, Directory.GetFiles(_folder.File("runs")).Length);

        var again = new Said();
        var report = Studies.Run(_ml, settings with { Progress = again, CancellationToken = default });

        Assert.Equal(3, again.Lines.Count(line => line.EndsWith(": kept", StringComparison.Ordinal)));
        Assert.Equal(6, report.Runs.Count);
        // A third time nothing is trained, and the report is the same.
        var third = Studies.Run(_ml, settings with { Progress = null, CancellationToken = default });
        Assert.Equal((report with { Seconds = 0 }).ToJson(), (third with { Seconds = 0 }).ToJson());
        Assert.Equal((report with { Seconds = 0 }).ToDocument().ToHtml(), (third with { Seconds = 0 }).ToDocument().ToHtml());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("nothing")]
    [InlineData("null")]
    public void RunStudy_DamagedRun_IsRefusedByName(string content)
    {
        var settings = Studies.Settings with { RunsFolder = _folder.File("runs"), Variants = [new(StudyTuning.Full) { LearningRates = [2e-3] }], Seeds = [1] };
        Studies.Run(_ml, settings);
        var file = Directory.GetFiles(_folder.File("runs")).Single();
        File.WriteAllText(file, content);

        var error = Assert.Throws<InvalidDataException>(() => Studies.Run(_ml, settings));

        Assert.StartsWith($"{file}: not a finished run", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RunStudy_OtherSettings_DoNotFindTheRun()
    {
        var settings = Studies.Settings with { RunsFolder = _folder.File("runs"), Variants = [new(StudyTuning.Full) { LearningRates = [2e-3] }], Seeds = [1] };
        Studies.Run(_ml, settings);
        Studies.Run(_ml, settings with { Training = settings.Training with { MaxEpochs = 1 } });
        Studies.Run(_ml, settings with { Forgetting = settings.Forgetting with { Positions = 40 } });
        _ml.RunStudy(CapitalTask.Base, CapitalTask.View(_ml, CapitalTask.Rows(64, 7)), Studies.Test(_ml), Retention.Corpora, settings);

        Assert.Equal(4, Directory.GetFiles(_folder.File("runs")).Length);
    }

    [Fact]
    public void RunStudy_RateThatDiverges_IsReportedAndTheOthersGoOn()
    {
        var settings = Studies.Settings with
        {
            // A step multiplies every matrix by 1 - rate · decay: at the first rate float32's range ends within the epochs, at the second nothing happens.
            Variants = [new(StudyTuning.Full) { LearningRates = [1000, 1e-6] }], Seeds = [1],
            Training = Studies.Settings.Training with { MaxGradientNorm = null, WeightDecay = 1000, WarmupRatio = 0, MaxEpochs = 20 },
        };

        var report = Studies.Run(_ml, settings);

        Assert.Equal(1e-6, Assert.Single(report.Runs).LearningRate);
        var failure = Assert.Single(report.Failures);
        Assert.Equal((StudyTuning.Full, 1000.0, 1), (failure.Tuning, failure.LearningRate, failure.Seed));
        Assert.Contains("Lower LearningRate", failure.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void RunStudy_BadSettings_ListsThemAll()
    {
        var error = Assert.Throws<ArgumentException>(() => Studies.Run(_ml, new StudySettings
        {
            Variants = [new(StudyTuning.Lora(0)), new(StudyTuning.Full) { LearningRates = [1e-3, 1e-3] }, new(StudyTuning.Full)],
            Seeds = [1, 1],
            Training = new TextClassificationOptions { ValidationFraction = 0.1 },
            Spectral = new SpectralSettings { Epsilon = [2] },
            Repair = new RepairCurveOptions { Scales = [0.5, 0.5] },
            BalanceStrengths = [0],
        }));

        foreach (var fault in new[]
        {
            "RunStudy: Variants holds 'full' 2 times", "LoRA r 0, α 0: Lora.Rank is 0", "full: LearningRates holds 0.001 2 times", "Seeds holds 1 2 times",
            "Training has rows to validate on", "Spectral: Epsilon holds 2", "Repair: Scales holds 0.5 2 times", "BalanceStrengths holds 0; use values above 0",
        })
            Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RunStudy_OneClass_IsRefusedBeforeAnythingIsTrained()
    {
        var said = new Said();
        var rows = CapitalTask.View(_ml, CapitalTask.Rows(20, 1, classes: 1));

        var error = Assert.Throws<ArgumentException>(() =>
            _ml.RunStudy(CapitalTask.Base, rows, Studies.Test(_ml), Retention.Corpora, Studies.Settings with { Progress = said }));

        Assert.Contains("all 20 are of class 'ant'", error.Message, StringComparison.Ordinal);
        Assert.Empty(said.Lines);
    }

    [Fact]
    public void PaperVariants_OfTheMiniEncoder_AreThoseOfThePaperEachOnce()
    {
        var variants = StudySettings.PaperVariants(PretrainedModel.MiniEncoder);

        // Full, six ranks with alpha 2r, six with alpha 8 of which rank 4 is the same, and only B.
        Assert.Equal(13, variants.Count);
        Assert.Equal(13, variants.Select(variant => variant.Tuning).Distinct().Count());
        Assert.Empty((Studies.Settings with { Variants = variants, Training = new TextClassificationOptions() }).Faults(PretrainedModel.MiniEncoder, 1));
        // Alpha times rate is the same for all that are trained at one rate.
        Assert.All(variants.Where(variant => variant.LearningRates.Count == 1), variant => Assert.Equal(0.03, variant.LearningRates[0] * variant.Tuning.Alpha!.Value, 12));
    }

    private void AssertSameAlone(StudyRun run)
    {
        var options = CapitalTask.Options with
        {
            MaxEpochs = 2, LearningRate = run.LearningRate, Seed = run.Seed, Lora = new LoraOptions { Rank = run.Tuning.Rank ?? 1, Alpha = run.Tuning.Alpha },
        };
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(Studies.Training(_ml)).Transform(Studies.Training(_ml));
        using var model = CapitalTask.Trainer(_ml, run.Tuning.Method, options).Fit(keyed);
        var forgetting = _ml.Model.EvaluateForgetting(model, Retention.Corpora, Studies.Settings.Forgetting);
        var spectrum = _ml.Model.InspectIntruders(model);
        Assert.Equal(forgetting.Forgetting, run.Forgetting, 1e-6);
        Assert.Equal(forgetting.StandardError, run.ForgettingError, 1e-6);
        Assert.Equal(spectrum.IntruderCount, run.Intruders);
        Assert.Equal(spectrum.Matrices.Select(matrix => (matrix.Name, matrix.Intruders.Count)), run.Matrices.Select(matrix => (matrix.Name, matrix.Intruders)));
        Assert.Equal(Math.Sqrt(spectrum.Matrices.Sum(matrix => matrix.DeltaFrobenius * matrix.DeltaFrobenius)), run.DeltaFrobenius, 1e-6);
    }

    private sealed class Said : IProgress<string>
    {
        private readonly CancellationTokenSource _stop = new();

        public List<string> Lines { get; } = [];

        public string? StopAt { get; init; }

        public CancellationToken Token => _stop.Token;

        public void Report(string value)
        {
            Lines.Add(value);
            if (StopAt is not null && value.StartsWith(StopAt, StringComparison.Ordinal)) _stop.Cancel();
        }
    }
}

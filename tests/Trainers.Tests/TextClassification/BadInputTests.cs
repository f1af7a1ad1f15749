using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>What a user may get wrong, and the sentence that says so.</summary>
public class BadInputTests
{
    private static readonly TextClassificationOptions Quick = CapitalTask.Options with { MaxEpochs = 1 };
    private readonly MLContext _ml = new(1);

    [Fact]
    public void Options_WithSeveralFaults_ReportsAllInOneException()
    {
        var options = new TextClassificationOptions
        {
            Sentence1ColumnName = " ", OutputColumnName = "Score", BatchSize = 0, GradientAccumulationSteps = -1, MaxEpochs = 0, MaxTokens = 7,
            LearningRate = double.NaN, Schedule = (LearningRateSchedule)9, WarmupRatio = 1.1, WeightDecay = -1, MaxGradientNorm = 0, Device = "tpu",
            Dropout = 1, ValidationFraction = 0.6, EarlyStoppingPatience = 0, ClassWeighting = (ClassWeighting)5, ScoreKind = (ScoreKind)7,
            ClassWeights = new Dictionary<string, double> { ["a"] = 0, ["b"] = double.NaN, ["c"] = 1 },
            BaseStorage = BaseStorage.TunedOnly, Lora = new LoraOptions { Rank = 0, TargetModules = ["qury"] },
        };

        var error = Assert.Throws<ArgumentException>(() => CapitalTask.Trainer(_ml, options: options));

        string[] expected =
        [
            "LoraTextClassification:", "Sentence1ColumnName is empty", "ScoreColumnName and OutputColumnName are both 'Score'", "BatchSize is 0",
            "GradientAccumulationSteps is -1", "MaxEpochs is 0", "MaxTokens is 7", "takes 8 to 62", "LearningRate is NaN", "Schedule is 9", "WarmupRatio is 1.1",
            "WeightDecay is -1", "MaxGradientNorm is 0", "Device is 'tpu'", "Dropout is 1", "ValidationFraction is 0.6", "EarlyStoppingPatience is 0",
            "ClassWeights['a'] is 0", "ClassWeights['b'] is NaN", "ClassWeighting is 5", "ScoreKind is 7", "BaseStorage is TunedOnly", "Lora.Rank is 0",
            "TargetModules 'qury' matches no projection. This model has: query, key, value, attention.output.dense, intermediate.dense, output.dense.",
        ];
        foreach (var text in expected) Assert.Contains(text, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("ClassWeights['c']", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_OfLora_AreNotJudgedInFullFineTuning() =>
        CapitalTask.Trainer(_ml, FineTuningMethod.Full, Quick with { Lora = new LoraOptions { Rank = 0 }, BaseStorage = BaseStorage.TunedOnly });

    [Fact]
    public void Options_ValidationGivenTwice_IsAFault()
    {
        var options = Quick with { ValidationFraction = 0.1, ValidationSet = CapitalTask.View(_ml, CapitalTask.Rows(3)) };
        Assert.Contains("both given", Assert.Throws<ArgumentException>(() => CapitalTask.Trainer(_ml, options: options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_ReferenceWithoutAFolder_IsAFault()
    {
        var options = Quick with { BaseStorage = BaseStorage.Reference };
        var error = Assert.Throws<ArgumentException>(() => CapitalTask.Trainer(_ml, options: options, model: CapitalTask.Base.WithRandomWeights()));
        Assert.Contains("use Embedded", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_MissingColumns_NamesTheTextAndKeyColumnsThereAre()
    {
        var error = Fails(Quick with { Sentence1ColumnName = "Review", LabelColumnName = "Stars" }, CapitalTask.Keyed(_ml, CapitalTask.Rows(5)));

        Assert.Contains("There is no column 'Review'", error.Message, StringComparison.Ordinal);
        Assert.Contains("text columns here: 'Sentence1', 'Sentence2'", error.Message, StringComparison.Ordinal);
        Assert.Contains("There is no column 'Stars'", error.Message, StringComparison.Ordinal);
        Assert.Contains("key columns here: 'Label'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_TextColumnOfNumbers_SaysWhatItHolds()
    {
        var data = _ml.Transforms.Text.FeaturizeText("Features", "Sentence1").Fit(CapitalTask.Keyed(_ml, CapitalTask.Rows(5)))
            .Transform(CapitalTask.Keyed(_ml, CapitalTask.Rows(5)));

        var error = Fails(Quick with { Sentence1ColumnName = "Features" }, data);

        Assert.Contains("Column 'Features' holds Vector<Single>", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_LabelThatIsNoKey_SaysHowToMapIt()
    {
        var error = Fails(Quick, CapitalTask.View(_ml, CapitalTask.Rows(5)));
        Assert.Contains("MapValueToKey(\"Label\")", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NoRows_SaysSo()
    {
        var error = Fails(Quick, CapitalTask.Keyed(_ml, []));
        Assert.Contains("The training data has no rows", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NoRowsThroughMapValueToKey_IsAnArgumentOrStateError()
    {
        var view = CapitalTask.View(_ml, []);
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").Append(CapitalTask.Trainer(_ml, options: Quick));
        var error = Record.Exception(() => pipeline.Fit(view));
        Assert.True(error is ArgumentException or InvalidOperationException, $"{error}");
    }

    [Fact]
    public void Fit_KeyWithOneValue_SaysOneClass()
    {
        var error = Fails(Quick, CapitalTask.Keyed(_ml, CapitalTask.Rows(9).Where(row => row.Label == "ant"), order: ["ant"]));
        Assert.Contains("has one class ('ant')", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_RowsOfOneClass_SaysOneClass()
    {
        CapitalRow[] ants = [.. CapitalTask.Rows(20).Where(row => row.Label == "ant")];
        var error = Fails(Quick, CapitalTask.Keyed(_ml, ants));
        Assert.Contains($"All {ants.Length} training rows are of class 'ant'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NoRowWithALabel_SaysSo()
    {
        var rows = CapitalTask.Rows(4);
        foreach (var row in rows) row.Label = "unknown";
        Assert.Contains("None of the 4 training rows has a label", Fails(Quick, CapitalTask.Keyed(_ml, rows)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_RowsWithoutLabel_LeavesThemOutAndCountsThem()
    {
        var rows = CapitalTask.Rows(30);
        foreach (var row in rows.Take(7)) row.Label = "none of the keys";

        using var model = CapitalTask.Fit(options: Quick, rows: rows);

        Assert.Equal(7, model.TrainingReport.UnlabelledRows);
        Assert.Equal(23, model.TrainingReport.TrainingRows);
    }

    [Fact]
    public void Fit_ClassNotSeenInTheRows_StillHasAScore()
    {
        // The key column has three values; the rows show two.
        using var model = CapitalTask.Fit(options: Quick, rows: [.. CapitalTask.Rows(30).Where(row => row.Label != "bee")]);

        Assert.Equal(["ant", "bee", "cat"], model.ClassNames);
        Assert.All(CapitalTask.Scores(model, CapitalTask.Rows(2)), scores => Assert.Equal(3, scores.Length));
    }

    [Fact]
    public void Fit_ClassWeightsForAnUnknownClass_ListsTheClasses()
    {
        var error = Fails(
            Quick with { ClassWeights = new Dictionary<string, double> { ["dog"] = 2 } }, CapitalTask.Keyed(_ml, CapitalTask.Rows(9)));
        Assert.Contains("'dog'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'ant', 'bee', 'cat'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_EveryKindOfStrangeText_TrainsAndScoresFinite()
    {
        string?[] strange = ["", "   ", null, "emoji 😀👩‍👩‍👧", "a\0b", "\uD800 alone", "\uDC00\uD800 reversed", "</s><mask><pad>", new string('x', 5000), "\r\n\t"];
        CapitalRow[] rows = [.. strange.Select((text, r) => new CapitalRow { Label = CapitalTask.Labels[r % 3], Sentence1 = text! })];
        var lines = new List<string>();
        _ml.Log += (_, e) => lines.Add(e.Message);

        using var model = CapitalTask.Trainer(_ml, options: Quick).Fit(CapitalTask.Keyed(_ml, rows));

        Assert.Equal(1, model.TrainingReport.TruncatedRows);
        Assert.Equal(4, model.TrainingReport.EmptyRows);
        Assert.Contains(lines, line => line.Contains("1 rows are longer than 62 tokens", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("4 rows hold no text", StringComparison.Ordinal));
        Assert.All(CapitalTask.Scores(model, rows), scores => Assert.Equal(1, scores.Sum(), 1e-5));
    }

    [Fact]
    public void Fit_LogsDeviceRowsEpochsAndWhatWasKept()
    {
        var lines = new List<string>();
        _ml.Log += (_, e) => lines.Add(e.Message);

        CapitalTask.Trainer(_ml, options: Quick with { MaxEpochs = 2 }).Fit(CapitalTask.Keyed(_ml, CapitalTask.Rows(30))).Dispose();

        foreach (var text in new[] { "Device: cpu", "Rows: 30 to train on, 0 to validate, 3 classes", "Epoch 1: training loss", "Epoch 2: training loss", "Kept the weights of epoch 2" })
            Assert.Contains(lines, line => line.Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    public void Fit_WithAnAbsurdLearningRate_SaysStepLossAndRate()
    {
        var options = Quick with { LearningRate = 1000, WeightDecay = 1000, MaxGradientNorm = null, MaxEpochs = 20, WarmupRatio = 0 };

        var error = Assert.Throws<TrainingDivergedException>(() => CapitalTask.Fit(FineTuningMethod.Full, options));

        Assert.InRange(error.Step, 1, 80);
        Assert.True(error.LearningRate > 0);
        Assert.Contains($"at step {error.Step}", error.Message, StringComparison.Ordinal);
        Assert.Contains("Lower LearningRate or set MaxGradientNorm.", error.Message, StringComparison.Ordinal);
        (error.LastGoodModel as IDisposable)?.Dispose();
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_DivergedAfterGoodEpochs_HandsOverTheLastGoodModel(FineTuningMethod method)
    {
        // One step an epoch. A step multiplies every matrix by 1 - rate · decay = -3e5: the first few survive float32's range, the rest do not.
        var options = Quick with { LearningRate = 300, WeightDecay = 1000, MaxGradientNorm = null, MaxEpochs = 60, BatchSize = 64, WarmupRatio = 0 };

        var error = Assert.Throws<TrainingDivergedException>(() => CapitalTask.Fit(method, options));

        Assert.NotNull(error.LastGoodEpoch);
        Assert.Equal(error.Step - 1, (long)error.LastGoodEpoch.Value);
        using var survivor = Assert.IsType<TextClassificationTransformer>(error.LastGoodModel);
        Assert.Equal(error.LastGoodEpoch, survivor.TrainingReport.KeptEpoch);
        Assert.All(CapitalTask.Scores(survivor, CapitalTask.Rows(3)), scores => Assert.All(scores, score => Assert.True(float.IsFinite(score))));
    }

    [Fact]
    public void Fit_CheckpointWithNaN_NamesTheParameter()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoint.Write(folder.FullName);
        Dictionary<string, Tensor> weights;
        using (var scope = NewDisposeScope())
        {
            using (var checkpoint = Checkpoint.Open(folder.FullName)) weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
            weights["roberta.embeddings.LayerNorm.weight"][0] = float.NaN;
            SafetensorsWriter.Write(folder.File("model.safetensors"), [.. weights]);
        }

        var error = Assert.ThrowsAny<InvalidDataException>(() => CapitalTask.Fit(options: Quick, model: PretrainedModel.FromFolder(folder.FullName)));

        Assert.Contains("roberta.embeddings.LayerNorm.weight", error.Message, StringComparison.Ordinal);
    }

    private Exception Fails(TextClassificationOptions options, IDataView data) =>
        Assert.ThrowsAny<ArgumentException>(() => CapitalTask.Trainer(_ml, options: options).Fit(data));
}

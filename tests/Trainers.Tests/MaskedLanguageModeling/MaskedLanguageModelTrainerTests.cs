using MLNetLoRA.Testing;
using MLNetLoRA.Trainers.Tests.TextClassification;

namespace MLNetLoRA.Trainers.Tests.MaskedLanguageModeling;

public class MaskedLanguageModelTrainerTests : IDisposable
{
    private static readonly string[] Text = [.. Enumerable.Range(0, 240).Select(n => n % 2 == 0 ? "abcabcabcabcabcabcabcabc" : "xyxyxyxyxyxyxyxyxyxyxyxy")];
    private static readonly string[] Held = ["abcabcabcabc", "xyxyxyxyxyxy"];
    private static readonly MaskedLanguageModelOptions Options = new() { BatchSize = 8, MaxTokens = 32, MaxEpochs = 4, LearningRate = 5e-3, Device = "cpu" };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_OnRepetitiveText_LowersTheHeldOutLoss()
    {
        using var fit = Train(Options);

        var losses = fit.Report.Epochs.Select(epoch => epoch.ValidationLoss!.Value).ToArray();
        Assert.True(losses[^1] < losses[0] && losses[^1] < 2.2, string.Join(", ", losses));
        Assert.True(fit.Report.Epochs[^1].TrainLoss < fit.Report.Epochs[0].TrainLoss);
        // ln 261 = 5.56 is what knowing nothing costs.
        Assert.True(fit.Evaluate(Held).Loss < 2.2);
    }

    [Fact]
    public void Train_WithOneSeed_GivesTheSameLossToTheBit()
    {
        var quick = Options with { MaxEpochs = 1 };
        using var first = Train(quick);
        using var again = Train(quick);
        using var other = Train(quick with { Seed = 2 });

        var expected = first.Evaluate(Held);
        Assert.Equal(expected, first.Evaluate(Held));
        Assert.Equal(expected, again.Evaluate(Held));
        Assert.NotEqual(expected, other.Evaluate(Held));
    }

    [Fact]
    public void SaveFolder_OpenedAgain_HasTheSameLossAndContinuesFromThere()
    {
        using var fit = Train(Options);
        fit.SaveFolder(_folder.FullName);
        var expected = fit.Evaluate(Held);

        var model = PretrainedModel.FromFolder(_folder.FullName);
        Assert.Empty(model.InitializedKeys);
        // One step at a rate that changes nothing: the loss is that of the saved weights.
        using var still = new MaskedLanguageModelTrainer(model, Options with { MaxEpochs = 1, LearningRate = 1e-12 }).Train(Text);
        Assert.Equal(expected.Tokens, still.Evaluate(Held).Tokens);
        Assert.Equal(expected.Loss, still.Evaluate(Held).Loss, 1e-5);
        Assert.Equal(fit.Report.Epochs[^1].TrainLoss, still.Report.Epochs[0].TrainLoss, 0.5);
    }

    [Fact]
    public void SaveFolder_OpenedAgain_HasTheCardOfItsModel()
    {
        var source = Directory.CreateDirectory(_folder.File("source")).FullName;
        TinyCheckpoint.Write(source);
        _folder.Write("source/fine_tuning.json", """{"full_learning_rate": 3e-5, "lora_alpha_times_learning_rate": 7e-3}""");
        var model = PretrainedModel.FromFolder(source);
        using var fit = new MaskedLanguageModelTrainer(model, Options with { MaxEpochs = 1 }).Train(["abcabc"]);

        fit.SaveFolder(_folder.File("saved"));

        var card = PretrainedModel.FromFolder(_folder.File("saved")).Card;
        Assert.Equal((3e-5, 7e-3), (card.FullLearningRate, card.LoraAlphaTimesLearningRate));
    }

    [Fact]
    public void SaveFolder_InBFloat16_HasHalfTheSizeAndNearlyTheSameLoss()
    {
        using var fit = Train(Options with { MaxEpochs = 1 });
        fit.SaveFolder(Path.Combine(_folder.FullName, "full"));
        fit.SaveFolder(Path.Combine(_folder.FullName, "half"), inBFloat16: true);

        long Size(string name) => new FileInfo(Path.Combine(_folder.FullName, name, "model.safetensors")).Length;
        Assert.InRange((double)Size("half") / Size("full"), 0.45, 0.6);
        var half = PretrainedModel.FromFolder(Path.Combine(_folder.FullName, "half"));
        using var still = new MaskedLanguageModelTrainer(half, Options with { MaxEpochs = 1, LearningRate = 1e-12 }).Train(["a"]);
        Assert.Equal(fit.Evaluate(Held).Loss, still.Evaluate(Held).Loss, 0.05);
    }

    [Theory]
    [InlineData("BatchSize")]
    [InlineData("GradientAccumulationSteps")]
    [InlineData("MaxEpochs")]
    [InlineData("MaxTokens")]
    [InlineData("LearningRate")]
    [InlineData("LearningRate (default)")]
    [InlineData("Schedule")]
    [InlineData("WarmupRatio")]
    [InlineData("WeightDecay")]
    [InlineData("MaxGradientNorm")]
    [InlineData("MaskedShare")]
    [InlineData("WholeWordMasking")]
    [InlineData("CausalShare")]
    [InlineData("BagOfWordsWeight")]
    [InlineData("MaxSteps")]
    [InlineData("Seed")]
    public void Train_WithOneSettingChanged_GivesAnotherModel(string setting)
    {
        var plain = Options with { MaxEpochs = 1 };
        var changed = setting switch
        {
            "BatchSize" => plain with { BatchSize = 4 },
            "GradientAccumulationSteps" => plain with { GradientAccumulationSteps = 2 },
            "MaxEpochs" => plain with { MaxEpochs = 2 },
            "MaxTokens" => plain with { MaxTokens = 16 },
            "LearningRate" => plain with { LearningRate = 1e-3 },
            "LearningRate (default)" => plain with { LearningRate = null },
            "Schedule" => plain with { Schedule = LearningRateSchedule.Constant },
            "WarmupRatio" => plain with { WarmupRatio = 0.5 },
            "WeightDecay" => plain with { WeightDecay = 0.5 },
            "MaxGradientNorm" => plain with { MaxGradientNorm = 0.01 },
            "MaskedShare" => plain with { MaskedShare = 0.4 },
            "WholeWordMasking" => plain with { WholeWordMasking = true },
            "CausalShare" => plain with { CausalShare = 0.5 },
            "BagOfWordsWeight" => plain with { BagOfWordsWeight = 0.5 },
            "MaxSteps" => plain with { MaxSteps = 2 },
            _ => plain with { Seed = 7 },
        };
        using var one = Train(plain, rows: 40);
        using var other = Train(changed, rows: 40);

        Assert.NotEqual(one.Report.Epochs[^1].TrainLoss, other.Report.Epochs[^1].TrainLoss);
    }

    [Fact]
    public void Options_WithSeveralFaults_ReportsAllInOneException()
    {
        var error = Assert.Throws<ArgumentException>(() => new MaskedLanguageModelTrainer(
            Scratch(), new MaskedLanguageModelOptions { BatchSize = 0, MaskedShare = 1, WeightDecay = double.NaN, Device = "x" }));

        foreach (var text in new[] { "MaskedLanguageModel:", "BatchSize is 0", "MaskedShare is 1", "WeightDecay is NaN", "Device is 'x'" })
            Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_WithMaxStepsAlone_RunsAsManyEpochsAsItTakes()
    {
        // 40 rows in windows of 30 and batches of 8: five steps an epoch.
        var progress = new List<TrainingProgress>();
        using var fit = Train(Options with { MaxEpochs = null, MaxSteps = 12, Progress = new OnStep(progress.Add) }, rows: 40);

        Assert.Equal(12, progress.Count);
        Assert.All(progress, step => Assert.Equal((12L, 3), (step.TotalSteps, step.MaxEpochs)));
        Assert.Equal(3, fit.Report.Epochs.Count);
    }

    [Fact]
    public void Train_MaxEpochsBeforeMaxSteps_EndsThere()
    {
        var progress = new List<TrainingProgress>();
        using var fit = Train(Options with { MaxEpochs = 1, MaxSteps = 12, Progress = new OnStep(progress.Add) }, rows: 40);

        Assert.Equal(5, progress.Count);
        Assert.All(progress, step => Assert.Equal((5L, 1), (step.TotalSteps, step.MaxEpochs)));
    }

    [Fact]
    public void Train_EvaluatingEveryStep_ReportsTheLossThatEvaluateGives()
    {
        var said = new List<string>();
        var trainer = new MaskedLanguageModelTrainer(Scratch(), Options with { MaxEpochs = 1, MaxSteps = 3, EvaluateEverySteps = 1 });
        using var fit = trainer.Train(Text.Take(40), Held, said.Add);

        Assert.Equal([1L, 2, 3], fit.Report.Evaluations.Select(evaluation => evaluation.Step));
        Assert.Equal(fit.Evaluate(Held).Loss, fit.Report.Evaluations[^1].ValidationLoss);
        Assert.Equal(fit.Report.Epochs[0].ValidationLoss, fit.Report.Evaluations[^1].ValidationLoss);
        Assert.Equal(3, said.Count(line => line.StartsWith("Step ", StringComparison.Ordinal)));
        Assert.Contains(said, line => line.StartsWith("Step 2 of 3: training loss ", StringComparison.Ordinal) && line.Contains(", validation loss ", StringComparison.Ordinal));
    }

    [Fact]
    public void Train_EvaluatingWithoutHeldOutText_SaysSo()
    {
        var error = Assert.Throws<ArgumentException>(() => new MaskedLanguageModelTrainer(Scratch(), Options with { EvaluateEverySteps = 5 }).Train(Text));
        Assert.Contains("EvaluateEverySteps is 5, but there is no held-out text", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.01, 8, "of a batch of 8 is no window")]
    [InlineData(0.99, 8, "of a batch of 8 is every window")]
    [InlineData(0.5, 1, "of a batch of 1 is no window")]
    [InlineData(1.5, 8, "use a share from 0 to 1")]
    [InlineData(double.NaN, 8, "use a share from 0 to 1")]
    public void Options_CausalShareWithoutEffect_IsRefused(double share, int batchSize, string expected)
    {
        var error = Assert.Throws<ArgumentException>(() => new MaskedLanguageModelTrainer(Scratch(), Options with { CausalShare = share, BatchSize = batchSize }));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_OfTheRunWithFaults_ReportsAll()
    {
        var error = Assert.Throws<ArgumentException>(() => new MaskedLanguageModelTrainer(Scratch(), Options with
        {
            MaxSteps = 0, EvaluateEverySteps = 0, CheckpointEverySteps = 0, CheckpointFolder = " ", MaxEpochs = 0,
        }));
        foreach (var text in new[] { "MaxSteps is 0", "EvaluateEverySteps is 0", "CheckpointEverySteps is 0", "CheckpointFolder is blank", "MaxEpochs is 0" })
            Assert.Contains(text, error.Message, StringComparison.Ordinal);
        error = Assert.Throws<ArgumentException>(() => new MaskedLanguageModelTrainer(Scratch(), Options with { Resume = true }));
        Assert.Contains("Resume is set without CheckpointFolder", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_WithoutText_SaysSo()
    {
        var error = Assert.Throws<ArgumentException>(() => new MaskedLanguageModelTrainer(Scratch(), Options).Train(["", ""]));
        Assert.Contains("There is no text to train on", error.Message, StringComparison.Ordinal);
        using var fit = Train(Options with { MaxEpochs = 1 }, rows: 8);
        Assert.Contains("no text to evaluate", Assert.Throws<ArgumentException>(() => fit.Evaluate([])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_AfterDispose_RefusesAndWritesNothing()
    {
        var fit = Train(Options with { MaxEpochs = 1 }, rows: 8);
        fit.Dispose();

        Assert.Throws<ObjectDisposedException>(() => fit.Evaluate(Held));
        Assert.Throws<ObjectDisposedException>(() => fit.SaveFolder(Path.Combine(_folder.FullName, "none")));
        Assert.False(Directory.Exists(Path.Combine(_folder.FullName, "none")));
    }

    [Fact]
    public void Train_DivergedAfterGoodEpochs_HandsOverTheLastGoodEncoder()
    {
        // One step an epoch. A step multiplies every matrix by 1 - rate · decay: the first few survive float32's range, the rest do not.
        var options = Options with { LearningRate = 300, WeightDecay = 1000, WarmupRatio = 0, MaxEpochs = 60, BatchSize = 64, MaxGradientNorm = null };

        var error = Assert.Throws<TrainingDivergedException>(() => Train(options, rows: 40));

        Assert.NotNull(error.LastGoodEpoch);
        Assert.Null(error.LastGoodModel);
        using var survivor = error.LastGoodEncoder;
        Assert.NotNull(survivor);
        Assert.Equal(error.LastGoodEpoch, survivor.Report.KeptEpoch);
        Assert.True(double.IsFinite(survivor.Evaluate(Held).Loss));
    }

    private MaskedLanguageModelFit Train(MaskedLanguageModelOptions options, int rows = 240) =>
        new MaskedLanguageModelTrainer(Scratch(), options).Train(Text.Take(rows), Held);

    private PretrainedModel Scratch()
    {
        var place = Directory.CreateDirectory(Path.Combine(_folder.FullName, "scratch")).FullName;
        TinyModel.WriteTokenizer(place);
        return PretrainedModel.FromScratch(TinyModel.WriteConfig(place), place);
    }
}

using System.Text.Json.Nodes;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using MLNetLoRA.Trainers.Tests.TextClassification;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.MaskedLanguageModeling;

/// <summary>Runs that were stopped and gone on with, beside one that never was.</summary>
public sealed class ResumeTests : IClassFixture<ResumeTests.EndedRun>, IDisposable
{
    private static readonly string[] Text = [.. Enumerable.Range(0, 23).Select(n => $"line {n % 7} of a short text, {(n % 2 == 0 ? "abc" : "xyz")}")];
    private static readonly string[] Held = ["a line of another text", "", "abc xyz abc"];

    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;

    private readonly EndedRun _ended;

    public ResumeTests(EndedRun ended) => (_ended, _model) = (ended, ended.Model);

    public void Dispose() => _folder.Dispose();

    /// <summary>The checkpoints of a whole run, to be copied and damaged.</summary>
    public sealed class EndedRun : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public EndedRun()
        {
            TinyModel.WriteTokenizer(_folder.FullName);
            var config = TinyModel.WriteConfig(_folder.FullName);
            File.WriteAllText(config, File.ReadAllText(config).Replace("_prob\": 0.0", "_prob\": 0.1", StringComparison.Ordinal));
            Model = PretrainedModel.FromScratch(config, _folder.FullName);
            new MaskedLanguageModelTrainer(Model, OptionsIn(Checkpoints)).Train(Text, Held).Dispose();
        }

        public PretrainedModel Model { get; }

        public string Checkpoints => _folder.File("checkpoints");

        public void CopyTo(string folder)
        {
            foreach (var path in Directory.EnumerateFiles(Checkpoints, "*", SearchOption.AllDirectories))
            {
                var copy = Path.Combine(folder, Path.GetRelativePath(Checkpoints, path));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(path, copy);
            }
        }

        public void Dispose() => _folder.Dispose();
    }

    // 23 lines of 27 tokens in as many windows: six steps an epoch, the last of them smaller, 18 in all.
    private static MaskedLanguageModelOptions OptionsIn(string folder) => new()
    {
        BatchSize = 2, GradientAccumulationSteps = 2, MaxTokens = 30, MaxEpochs = 3, LearningRate = 3e-3, CausalShare = 0.5, Device = "cpu",
        EvaluateEverySteps = 2, CheckpointFolder = folder, CheckpointEverySteps = 4,
    };

    private MaskedLanguageModelOptions Options => OptionsIn(_folder.File("checkpoints"));

    [Theory]
    [InlineData(5)]         // right after a checkpoint
    [InlineData(8)]         // right before one
    [InlineData(13)]        // the checkpoint is at the very end of an epoch
    [InlineData(18)]        // after two epochs, the better of which is kept
    public void Train_AfterACrash_GoesOnToTheSameWeightsToTheBit(int crashStep)
    {
        var expected = Outcome(Options with { CheckpointFolder = null });

        Assert.Throws<TimeoutException>(() => Train(Options with { Progress = new OnStep(step => { if (step.Step == crashStep) throw new TimeoutException(); }) }));
        var resumed = Outcome(Options with { Resume = true });

        AssertSame(expected, resumed);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]         // the end of an epoch
    [InlineData(9)]
    public void Train_AfterCancelling_GoesOnFromThatVeryStep(int stopStep)
    {
        var expected = Outcome(Options with { CheckpointFolder = null });
        using var cancellation = new CancellationTokenSource();
        var stopping = Options with
        {
            CheckpointEverySteps = 1000,
            Progress = new OnStep(step => { if (step.Step == stopStep) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        };

        Assert.ThrowsAny<OperationCanceledException>(() => Train(stopping));
        var first = 0L;
        var resumed = Outcome(Options with { Resume = true, Progress = new OnStep(step => first = first == 0 ? step.Step : first) });

        Assert.Equal(stopStep + 1, first);
        AssertSame(expected, resumed);
    }

    [Fact]
    public void Train_StoppedTwice_GoesOnToTheSameWeights()
    {
        var expected = Outcome(Options with { CheckpointFolder = null });

        foreach (var crashStep in new[] { 5, 13 })
            Assert.Throws<TimeoutException>(() => Train(Options with
            {
                Resume = true, Progress = new OnStep(step => { if (step.Step == crashStep) throw new TimeoutException(); }),
            }));

        AssertSame(expected, Outcome(Options with { Resume = true }));
    }

    [Fact]
    public void Train_Ended_GoneOnWith_GivesTheSameModelAgain()
    {
        _ended.CopyTo(Options.CheckpointFolder!);

        AssertSame(Outcome(Options with { CheckpointFolder = null }), Outcome(Options with { Resume = true }));
    }

    [Fact]
    public void Train_WithCheckpoints_KeepsTheLastTwo_EachAModelFolder()
    {
        _ended.CopyTo(Options.CheckpointFolder!);

        Assert.Equal(["step-12", "step-16"], Directory.EnumerateDirectories(Options.CheckpointFolder!).Select(path => Path.GetFileName(path)).Order());
        var model = PretrainedModel.FromFolder(Latest());
        Assert.Empty(model.InitializedKeys);
    }

    [Fact]
    public void Train_InAFolderWithCheckpoints_NeedsResume()
    {
        _ended.CopyTo(Options.CheckpointFolder!);

        var error = Assert.Throws<ArgumentException>(() => Train(Options));
        Assert.Contains("has checkpoints of an earlier run", error.Message, StringComparison.Ordinal);
        Assert.Contains("Set Resume", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_ResumeWithoutACheckpoint_BeginsAndSaysSo()
    {
        var said = new List<string>();
        var expected = Outcome(Options with { CheckpointFolder = null });

        using var fit = Train(Options with { Resume = true }, said);

        Assert.Contains($"There is no checkpoint in {Options.CheckpointFolder} yet; training begins.", said);
        AssertSame(expected, Outcome(fit));
    }

    [Fact]
    public void Train_ResumedWithOtherSettings_NamesEachDifference()
    {
        _ended.CopyTo(Options.CheckpointFolder!);

        var error = Assert.Throws<InvalidDataException>(() => Train(Options with { Resume = true, BatchSize = 5, Seed = 7, WholeWordMasking = true, MaskedShare = 0.25 }));

        Assert.Contains("this checkpoint is of another run: BatchSize was 2 and is 5; MaskedShare was 0.15 and is 0.25; "
            + "WholeWordMasking was False and is True; Seed was 1 and is 7. Go on with what the run began with", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_ResumedWithAnotherText_SaysWhich()
    {
        _ended.CopyTo(Options.CheckpointFolder!);
        var trainer = new MaskedLanguageModelTrainer(_model, Options with { Resume = true });

        var error = Assert.Throws<InvalidDataException>(() => trainer.Train([.. Text[..^1], "another last line, abc, of that text"], Held));
        Assert.Contains("the training text was ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("the held-out text", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<InvalidDataException>(() => trainer.Train(Text, ["something else"]));
        Assert.Contains("the held-out text was ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_ResumedWithAnotherModel_NamesItsConfigurationAndTokenizer()
    {
        _ended.CopyTo(Options.CheckpointFolder!);
        var place = Directory.CreateDirectory(_folder.File("other")).FullName;
        TinyModel.WriteTokenizer(place);
        File.AppendAllText(Path.Combine(place, "merges.txt"), "\n");
        var config = TinyModel.WriteConfig(place);
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"intermediate_size\": 64", "\"intermediate_size\": 48", StringComparison.Ordinal));

        var error = Assert.Throws<InvalidDataException>(
            () => new MaskedLanguageModelTrainer(PretrainedModel.FromScratch(config, place), Options with { Resume = true }).Train(Text, Held));

        foreach (var text in new[] { "config.json's intermediate_size was 64 and is 48", "the tokenizer's merges.txt was ", "the base model's content was " })
            Assert.Contains(text, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("vocab.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("training.json", "")]
    [InlineData("training.json", "{}")]
    [InlineData("training.json", "{\"version\": 1, \"version\": 1}")]
    [InlineData("training.json", null)]
    [InlineData("model.safetensors", null)]
    [InlineData("optimizer.safetensors", null)]
    [InlineData("kept.safetensors", null)]
    [InlineData("optimizer.safetensors", "no safetensors")]
    [InlineData("model.safetensors", "\u0008\u0000\u0000\u0000\u0000\u0000\u0000\u0000{}      ")]
    public void Train_FromADamagedCheckpoint_NamesTheFile(string name, string? content)
    {
        _ended.CopyTo(Options.CheckpointFolder!);
        var path = Path.Combine(Latest(), name);
        if (content is null) File.Delete(path);
        else File.WriteAllText(path, content);

        var error = Assert.Throws<InvalidDataException>(() => Train(Options with { Resume = true }));

        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("position/epoch", 0)]
    [InlineData("position/epoch", 99)]
    [InlineData("position/step", 3)]
    [InlineData("position/step", -1)]
    [InlineData("position/step_in_epoch", 1000)]
    [InlineData("position/random", "AAAA")]
    [InlineData("position/epoch_random", null)]
    [InlineData("position/epoch_loss/weight", -1)]
    [InlineData("position/elapsed_seconds", -1)]
    [InlineData("position/epochs", "none")]
    [InlineData("kept_epoch", 5)]
    [InlineData("version", 2)]
    [InlineData("more", 1)]
    public void Train_FromACheckpointOutOfRange_IsRefused(string field, object? value)
    {
        _ended.CopyTo(Options.CheckpointFolder!);
        var path = Path.Combine(Latest(), "training.json");
        var root = JsonNode.Parse(File.ReadAllText(path))!;
        var parts = field.Split('/');
        parts[..^1].Aggregate(root, (node, part) => node[part]!)[parts[^1]] = JsonValue.Create(value);
        File.WriteAllText(path, root.ToJsonString());

        var error = Assert.Throws<InvalidDataException>(() => Train(Options with { Resume = true }));

        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".exp_avg_sq", -1.0, "has negative values")]
    [InlineData(".exp_avg", double.NaN, "NaN or infinite")]
    [InlineData(".step", 1e6, "was expected")]
    public void Train_FromAHostileOptimizer_IsRefused(string suffix, double value, string expected)
    {
        _ended.CopyTo(Options.CheckpointFolder!);
        var path = Path.Combine(Latest(), "optimizer.safetensors");
        using (NewDisposeScope())
        {
            var tensors = new List<KeyValuePair<string, Tensor>>();
            using (var file = SafetensorsFile.Open(path))
                foreach (var key in file.Entries.Keys) tensors.Add(KeyValuePair.Create(key, file.Read(key)));
            tensors.First(tensor => tensor.Key.EndsWith(suffix, StringComparison.Ordinal)).Value.fill_(value);
            SafetensorsWriter.Write(path, tensors);
        }

        var error = Assert.Throws<InvalidDataException>(() => Train(Options with { Resume = true }));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_FolderGoneWhileTraining_SaysWhatRemains()
    {
        var folder = Options.CheckpointFolder!;
        var moved = _folder.File("moved");
        var options = Options with
        {
            Progress = new OnStep(step =>
            {
                if (step.Step != 6) return;
                Directory.Move(folder, moved);
                File.WriteAllText(folder, "in the way");
            }),
        };

        var error = Assert.Throws<IOException>(() => Train(options));

        Assert.StartsWith(Path.Combine(folder, "step-8") + ": the checkpoint could not be written: ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("The one after step 4 is whole: free some space, and resume from it.", error.Message, StringComparison.Ordinal);
        AssertSame(Outcome(Options with { CheckpointFolder = null }), Outcome(Options with { CheckpointFolder = moved, Resume = true }));
    }

    private MaskedLanguageModelFit Train(MaskedLanguageModelOptions options, List<string>? said = null) =>
        new MaskedLanguageModelTrainer(_model, options).Train(Text, Held, line => said?.Add(line));

    private (byte[] Weights, TrainingReport Report) Outcome(MaskedLanguageModelOptions options)
    {
        using var fit = Train(options);
        return Outcome(fit);
    }

    private (byte[] Weights, TrainingReport Report) Outcome(MaskedLanguageModelFit fit)
    {
        var place = _folder.File(Guid.NewGuid().ToString("N"));
        fit.SaveFolder(place);
        return (File.ReadAllBytes(Path.Combine(place, "model.safetensors")), fit.Report);
    }

    private static void AssertSame((byte[] Weights, TrainingReport Report) expected, (byte[] Weights, TrainingReport Report) actual)
    {
        Assert.Equal(expected.Weights, actual.Weights);
        Assert.Equal(expected.Report.KeptEpoch, actual.Report.KeptEpoch);
        Assert.Equal(expected.Report.Epochs.Select(epoch => epoch with { Seconds = 0 }), actual.Report.Epochs.Select(epoch => epoch with { Seconds = 0 }));
        Assert.Equal(
            expected.Report.Evaluations.Select(evaluation => evaluation with { ElapsedSeconds = 0 }),
            actual.Report.Evaluations.Select(evaluation => evaluation with { ElapsedSeconds = 0 }));
    }

    private string Latest() =>
        Directory.EnumerateDirectories(Options.CheckpointFolder!).MaxBy(path => int.Parse(Path.GetFileName(path)["step-".Length..], System.Globalization.CultureInfo.InvariantCulture))!;
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>Training that goes on from a fine-tuned model.</summary>
[Collection(ProcessWide.Name)]
public class InitialModelTests
{
    private const double Still = 1e-12;     // a learning rate that moves nothing a float32 can tell

    private static readonly CapitalRow[] Held = CapitalTask.Rows(40, seed: 9);
    private static readonly CapitalRow[] New = CapitalTask.Rows(48, seed: 3);

    private static TextClassificationOptions Options => CapitalTask.Options with { MaxEpochs = 2, Schedule = LearningRateSchedule.Constant, WarmupRatio = 0 };

    [Theory]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full, FineTuningMethod.Full)]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Full)]
    public void Fit_WithATinyRate_ReproducesTheInitialModelsScores(FineTuningMethod before, FineTuningMethod after)
    {
        using var initial = CapitalTask.Fit(before, Options);
        var expected = CapitalTask.Scores(initial, Held);

        using var continued = CapitalTask.Fit(after, Options with { InitialModel = InitialModel.From(initial), MaxEpochs = 1, LearningRate = Still });

        AssertClose(expected, CapitalTask.Scores(continued, Held), 1e-5);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full, FineTuningMethod.Full)]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Full)]
    public void Fit_FirstStep_HasTheLossOfTheInitialModelsOwnScores(FineTuningMethod before, FineTuningMethod after)
    {
        using var initial = CapitalTask.Fit(before, Options);
        var expected = CapitalTask.Scores(initial, New)
            .Zip(New, (scores, row) => -Math.Log(scores[Array.IndexOf(CapitalTask.Labels, row.Label)])).Average();
        var losses = new List<double>();

        CapitalTask.Fit(after, Options with
        {
            InitialModel = InitialModel.From(initial), BatchSize = New.Length, MaxEpochs = 1, Progress = new OnStep(step => losses.Add(step.Loss)),
        }, New).Dispose();

        Assert.Equal(expected, Assert.Single(losses), 1e-5);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_EveryStep_EqualsANetworkThatWasSetToThoseWeights(FineTuningMethod method)
    {
        using var initial = CapitalTask.Fit(method, Options);
        var losses = new List<double>();
        CapitalTask.Fit(method, Options with { InitialModel = InitialModel.From(initial), Progress = new OnStep(step => losses.Add(step.Loss)) }, New).Dispose();

        using var randomness = new FitRandomness(Options.Seed!.Value);
        using var reference = new ClassifierFit(CapitalTask.Base, method, Options, CapitalTask.Labels.Length, CPU, randomness);
        using (var share = initial.AcquireShare())
        using (no_grad())
            foreach (var (name, parameter) in reference.Network.named_parameters())
                if (share.Resource.Classifier.Tuned.TryGetValue(LoraProjections.CheckpointKey(name), out var tuned)) parameter.copy_(tuned);
        // The reference drew an adapter and a head that were overwritten; the order of rows is to be that of a fit which drew nothing.
        using var fresh = new FitRandomness(Options.Seed!.Value);
        var observer = new RecordingObserver();
        using var task = new ClassificationTask(
            reference.Network, CapitalTask.Base.Config, Encode(New), EncodedRows.None, [1, 1, 1], Options.BatchSize, CPU);
        var plan = new TrainingPlan(2, Options.BatchSize, 1, 1e-2, LearningRateSchedule.Constant, 0, 0, 1, 3);
        var outcome = new TrainingLoop(task, plan, fresh, observer, []).Run();
        foreach (var weight in outcome.Weights.Values) weight.Dispose();

        Assert.Equal(6, losses.Count);
        Assert.Equal(observer.Losses, losses);
    }

    [Fact]
    public void Fit_Continued_LeavesTheInitialModelByteForByteAndUsable()
    {
        using var initial = CapitalTask.Fit(options: Options);
        var scores = CapitalTask.Scores(initial, Held);
        var bytes = Bytes(initial);

        using (var continued = CapitalTask.Fit(options: Options with { InitialModel = InitialModel.From(initial) }, rows: New))
            Assert.NotEqual(bytes, Bytes(continued));

        Assert.Equal(bytes, Bytes(initial));
        Assert.Equal(scores, CapitalTask.Scores(initial, Held));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_FromAFile_EqualsFromTheTransformerAndRepeats(FineTuningMethod method)
    {
        using var folder = new TemporaryFolder();
        var ml = new MLContext(1);
        var file = folder.File("model.mlnet");
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(CapitalTask.Trainer(ml, method, Options)).Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var view = CapitalTask.View(ml, [.. CapitalTask.Labels.Select(label => new CapitalRow { Label = label, Sentence1 = "x" }), .. CapitalTask.Rows(64)]);
        var chain = pipeline.Fit(view);
        ml.Model.Save(chain, view.Schema, file);

        using var fromChain = CapitalTask.Fit(method, Options with { InitialModel = InitialModel.From(chain) }, New);
        using var fromFile = CapitalTask.Fit(method, Options with { InitialModel = InitialModel.FromFile(file) }, New);
        using var again = CapitalTask.Fit(method, Options with { InitialModel = InitialModel.FromFile(file) }, New);
        chain.Dispose();

        Assert.Equal(Bytes(fromChain), Bytes(fromFile));
        Assert.Equal(Bytes(fromFile), Bytes(again));
        Assert.Equal(CapitalTask.Scores(fromChain, Held), CapitalTask.Scores(again, Held));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Full)]
    public void Fit_Continued_SavesAndLoads(FineTuningMethod before, FineTuningMethod after)
    {
        using var folder = new TemporaryFolder();
        using var initial = CapitalTask.Fit(before, Options);
        var continued = CapitalTask.Fit(after, Options with { InitialModel = InitialModel.From(initial) }, New);
        initial.Dispose();
        var expected = CapitalTask.Scores(continued, Held);
        var ml = new MLContext(1);
        ml.Model.Save(continued, null, folder.File("model.mlnet"));
        continued.Dispose();

        using var loaded = (TextClassificationTransformer)ml.Model.Load(folder.File("model.mlnet"), out _);

        Assert.Equal(expected, CapitalTask.Scores(loaded, Held));
        Assert.Equal(after is FineTuningMethod.Lora, loaded.Lora is not null);
    }

    [Fact]
    public void Fit_OfABaseWithoutWeights_KeepsWhatTheFirstFitDrew()
    {
        var random = CapitalTask.Base.WithRandomWeights();
        using var initial = CapitalTask.Fit(options: Options, model: random);
        using var continued = CapitalTask.Fit(
            options: Options with { InitialModel = InitialModel.From(initial), MaxEpochs = 1, LearningRate = Still, Seed = 77 }, model: random);

        AssertClose(CapitalTask.Scores(initial, Held), CapitalTask.Scores(continued, Held), 1e-5);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_WithNewAndMissingClasses_AppendsTheNewAndKeepsTheOld(FineTuningMethod method)
    {
        var ml = new MLContext(1);
        using var initial = CapitalTask.Fit(method, Options);
        // No ant; dog is new; numbered in another order than the model's.
        var rows = WithDogsForAnts(CapitalTask.Rows(96, seed: 3));
        var data = CapitalTask.Keyed(ml, rows, ["dog", "cat", "bee"]);
        var warnings = new List<string>();
        ml.Log += (_, e) => warnings.Add(e.RawMessage);

        using var still = CapitalTask.Trainer(ml, method, Options with { InitialModel = InitialModel.From(initial), MaxEpochs = 1, LearningRate = Still, ScoreKind = ScoreKind.Logit }).Fit(data);
        using var learned = CapitalTask.Trainer(ml, method, Options with { InitialModel = InitialModel.From(initial), MaxEpochs = 12 }).Fit(data);

        Assert.Equal(["ant", "bee", "cat", "dog"], still.ClassNames);
        Assert.Contains(warnings, text => text.Contains("numbers its classes otherwise", StringComparison.Ordinal));
        // The old classes' logits are the initial model's; the new one's come from a freshly drawn row of the head.
        var old = CapitalTask.Scores(initial, Held);
        foreach (var (r, logits) in CapitalTask.Scores(still, Held).Index())
        {
            var three = Exponentials(logits[..3]);
            foreach (var (c, share) in three.Index()) Assert.Equal(old[r][c], share, 1e-4);
            Assert.NotEqual(0, logits[3]);
        }
        var unseen = WithDogsForAnts(Held);
        Assert.InRange(Predictions(ml, learned, unseen).Zip(unseen, (name, row) => name == row.Label).Average(right => right ? 1.0 : 0), 0.9, 1);
    }

    [Fact]
    public void Fit_NewRowOfTheHead_FollowsTheSeed()
    {
        using var initial = CapitalTask.Fit(options: Options);
        var rows = CapitalTask.Rows(12).Append(new CapitalRow { Label = "dog", Sentence1 = "D" }).ToArray();

        Assert.Equal(Scored(seed: 1), Scored(seed: 1));
        Assert.NotEqual(Scored(seed: 1), Scored(seed: 2));

        float[] Scored(int seed)
        {
            var ml = new MLContext(1);
            using var model = CapitalTask.Trainer(ml, options: Options with { InitialModel = InitialModel.From(initial), MaxEpochs = 1, LearningRate = Still, Seed = seed })
                .Fit(CapitalTask.Keyed(ml, rows, ["ant", "bee", "cat", "dog"]));
            return CapitalTask.Scores(model, Held)[0];
        }
    }

    [Fact]
    public void Fit_ThenScoreThenDispose_LeavesNothing()
    {
        var parameters = CapitalTask.ParameterCount(FineTuningMethod.Lora);
        var full = CapitalTask.ParameterCount(FineTuningMethod.Full);
        using var folder = new TemporaryFolder();
        var file = folder.File("model.mlnet");
        using (var model = CapitalTask.Fit(options: Options)) new MLContext(1).Model.Save(model, null, file);
        var before = LiveTensors.Settled();
        using (var initial = CapitalTask.Fit(options: Options))
        {
            using var again = CapitalTask.Fit(options: Options with { InitialModel = InitialModel.From(initial) });
            using var merged = CapitalTask.Fit(FineTuningMethod.Full, Options with { InitialModel = InitialModel.From(initial) });
            CapitalTask.Scores(merged, Held);
        }
        Assert.Equal(before + 4 * parameters + 2 * full, LiveTensors.Now);

        var loadOnly = Made(() => ((IDisposable)new MLContext(1).Model.Load(file, out _)).Dispose());
        var fromFile = Made(() => CapitalTask.Fit(options: Options with { InitialModel = InitialModel.FromFile(file) }).Dispose());
        Assert.Equal(loadOnly + 2 * parameters, fromFile);
        Assert.Equal(0, SharedWeights.HeldCount);

        static long Made(Action act)
        {
            var start = LiveTensors.Now;
            act();
            return LiveTensors.Now - start;
        }
    }

    [Fact]
    public void Fit_OfAnotherBase_NamesBothAndWhatToDo()
    {
        using var folder = new TemporaryFolder();
        var other = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName, seed: 2));
        using var initial = CapitalTask.Fit(options: Options);

        var error = Assert.Throws<ArgumentException>(
            () => CapitalTask.Fit(options: Options with { InitialModel = InitialModel.From(initial) }, model: other));

        Assert.Contains($"was fine-tuned from '{CapitalTask.Base.Name}' (content {CapitalTask.Base.ContentHash[..12]}…)", error.Message, StringComparison.Ordinal);
        Assert.Contains($"model is '{other.Name}' (content {other.ContentHash[..12]}…)", error.Message, StringComparison.Ordinal);
        Assert.Contains("TextClassificationTransformer.BaseModel", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_FullThenLora_IsRefused()
    {
        using var initial = CapitalTask.Fit(FineTuningMethod.Full, Options with { MaxEpochs = 1 });
        var error = Assert.Throws<ArgumentException>(() => CapitalTask.Fit(options: Options with { InitialModel = InitialModel.From(initial) }));
        Assert.Contains("was fine-tuned in full", error.Message, StringComparison.Ordinal);
        Assert.Contains("Use FullFineTuningTextClassification", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_AdapterOfAnotherShape_NamesEveryDifference()
    {
        using var folder = new TemporaryFolder();
        using (var initial = CapitalTask.Fit(options: Options with { MaxEpochs = 1 })) new MLContext(1).Model.Save(initial, null, folder.File("m.mlnet"));
        var lora = new LoraOptions { Rank = 2, Alpha = 3, TargetModules = ["query"] };
        var error = Assert.Throws<ArgumentException>(
            () => CapitalTask.Fit(options: Options with { InitialModel = InitialModel.FromFile(folder.File("m.mlnet")), Lora = lora }));
        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.Contains("rank 4, Lora.Rank is 2; alpha 8, Lora.Alpha is 3; targets query, key, value, attention.output.dense, ", error.Message, StringComparison.Ordinal);
        Assert.Contains("Lora.TargetModules are query.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_SameTargetsSpelledOtherwiseAndOtherDropout_GoesOn()
    {
        using var initial = CapitalTask.Fit(options: Options with { MaxEpochs = 1 });
        var lora = Options.Lora with { Dropout = 0.1, TargetModules = [.. CapitalTask.Base.Projections.Select(slot => slot.Target)] };
        CapitalTask.Fit(options: Options with { InitialModel = InitialModel.From(initial), Lora = lora, MaxEpochs = 1 }).Dispose();
    }

    [Fact]
    public void From_NoClassifierOrTwo_SaysWhatThereIs()
    {
        var ml = new MLContext(1);
        var data = CapitalTask.Keyed(ml, CapitalTask.Rows(20));
        var plain = ml.Transforms.Conversion.MapKeyToValue("Label").Fit(data);
        Assert.Contains("holds no fine-tuned text classifier (KeyToValueMappingTransformer)", Assert.Throws<ArgumentException>(() => InitialModel.From(plain)).Message, StringComparison.Ordinal);

        using var two = CapitalTask.Trainer(ml, options: Options with { MaxEpochs = 1 })
            .Append(CapitalTask.Trainer(ml, options: Options with { MaxEpochs = 1, ScoreColumnName = "S2", OutputColumnName = "P2" })).Fit(data);
        Assert.Contains("holds 2 fine-tuned text classifiers", Assert.Throws<ArgumentException>(() => InitialModel.From(two)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFile_MissingOrDamaged_SaysSo()
    {
        using var folder = new TemporaryFolder();
        var ml = new MLContext(1);
        var missing = Assert.Throws<ArgumentException>(() => CapitalTask.Trainer(ml, options: Options with { InitialModel = InitialModel.FromFile(folder.File("no.mlnet")) }));
        Assert.Contains("there is no such file", missing.Message, StringComparison.Ordinal);

        var damaged = folder.Write("damaged.mlnet", "no zip");
        var error = Assert.Throws<InvalidDataException>(() => CapitalTask.Fit(options: Options with { InitialModel = InitialModel.FromFile(damaged) }));
        Assert.Contains($"'{damaged}' cannot be loaded as a model", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public void Fit_InitialModelDisposed_SaysSo()
    {
        var initial = CapitalTask.Fit(options: Options with { MaxEpochs = 1 });
        initial.Dispose();
        Assert.Throws<ObjectDisposedException>(() => CapitalTask.Fit(options: Options with { InitialModel = InitialModel.From(initial) }));
    }

    [Fact]
    public void Fit_LabelsOfAnotherKind_NamesBoth()
    {
        var ml = new MLContext(1);
        using var initial = CapitalTask.Fit(options: Options with { MaxEpochs = 1 });
        var numbered = ml.Data.LoadFromEnumerable(CapitalTask.Rows(20).Select(row => new { Label = (float)row.Sentence1.Length % 2, row.Sentence1 }));
        var data = ml.Transforms.Conversion.MapValueToKey("Label").Fit(numbered).Transform(numbered);
        var error = Assert.Throws<ArgumentException>(() => CapitalTask.Trainer(ml, options: Options with { InitialModel = InitialModel.From(initial) }).Fit(data));
        Assert.Contains("are numbers; the model's classes are text ('ant', 'bee', 'cat')", error.Message, StringComparison.Ordinal);
    }

    private static EncodedRows Encode(CapitalRow[] rows) => new(
        [.. rows.Select(row => CapitalTask.Base.Tokenizer.Encode(row.Sentence1, null, 62))], [.. rows.Select(row => Array.IndexOf(CapitalTask.Labels, row.Label))]);

    private static double[] Exponentials(float[] logits)
    {
        var total = logits.Sum(logit => Math.Exp(logit));
        return [.. logits.Select(logit => Math.Exp(logit) / total)];
    }

    private static CapitalRow[] WithDogsForAnts(CapitalRow[] rows) => [.. rows.Select(row => row.Label == "ant"
        ? new CapitalRow { Label = "dog", Sentence1 = row.Sentence1.Replace('A', 'D') } : row)];

    private static string[] Predictions(MLContext ml, ITransformer model, CapitalRow[] rows)
    {
        var scored = model.Transform(CapitalTask.View(ml, rows));
        return [.. ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(scored).Transform(scored).GetColumn<string>("PredictedLabel")];
    }

    private static Dictionary<string, string> Bytes(TextClassificationTransformer model)
    {
        using var share = model.AcquireShare();
        return share.Resource.Classifier.Tuned.ToDictionary(tuned => tuned.Key, tuned => Convert.ToHexString(tuned.Value.bytes));
    }

    private static void AssertClose(float[][] expected, float[][] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach (var (r, row) in expected.Index())
            foreach (var (c, score) in row.Index()) Assert.Equal(score, actual[r][c], tolerance);
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using MLNetLoRA.Trainers.Tests.TextClassification;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.MaskedLanguageModeling;

/// <summary>Continued pretraining in a pipeline, the way a user goes.</summary>
[Collection(ProcessWide.Name)]
public sealed class EncoderJourneyTests : IDisposable
{
    private static readonly MaskedLanguageModelOptions Options = new()
    {
        BatchSize = 8, MaxTokens = 32, MaxSteps = 6, LearningRate = 1e-3, Device = "cpu", Sentence1ColumnName = "Text", LossColumnName = "Loss",
    };

    private readonly TemporaryFolder _folder = new();
    private readonly MLContext _ml = new(1);

    public void Dispose() => _folder.Dispose();

    private sealed class Line
    {
        public string Text { get; set; } = "";
        public bool Label { get; set; }
    }

    private sealed class Encoded
    {
        public float[] Features { get; set; } = [];
        public float Loss { get; set; }
    }

    [Fact]
    public void Fit_EqualsTheTrainerOnTheSameParagraphs()
    {
        Line[] rows = [.. Lines(30), new Line { Text = "  " }, .. Lines(5)];
        using var model = Fit(rows, Options);
        using var expected = new MaskedLanguageModelTrainer(CapitalTask.Base, Options).Train(rows.Select(row => row.Text.Trim()));

        expected.SaveFolder(_folder.File("expected"));
        model.SaveFolder(_folder.File("model"));

        Assert.Equal(File.ReadAllBytes(_folder.File("expected/model.safetensors")), File.ReadAllBytes(_folder.File("model/model.safetensors")));
        Assert.Equal(PretrainedModel.FromFolder(_folder.File("model")).ContentHash, model.Model.ContentHash);
        Assert.NotEqual(CapitalTask.Base.ContentHash, model.Model.ContentHash);
        Assert.Equal(expected.Report.Epochs.Select(epoch => epoch.TrainLoss), model.TrainingReport.Epochs.Select(epoch => epoch.TrainLoss));
    }

    [Fact]
    public void Features_AreTheMeanOfTheLastHiddenStates()
    {
        using var model = Fit(Lines(20), Options);
        string[] texts = ["abc", "", "a much longer text than the others, cut somewhere"];

        var rows = Encode(model, texts);

        using var scope = NewDisposeScope();
        using var network = Network(model);
        foreach (var (text, row) in texts.Zip(rows))
        {
            using var batch = TokenBatch.Create([model.Model.Tokenizer.Encode(text, null, 32)], model.Model.Config, CPU);
            var hidden = network.ForwardWithHiddenState(batch).LastHiddenState[0].to(float64);
            var expected = (hidden.sum(0L) / hidden.shape[0]).data<double>().ToArray();
            Assert.Equal(expected, row.Features.Select(value => (double)value), (one, other) => Math.Abs(one - other) < 1e-5);
        }
    }

    [Fact]
    public void Loss_IsTheMeanOverTokensEachHiddenOnce()
    {
        using var model = Fit(Lines(20), Options);
        const string Text = "nine bytes and more";
        var tokenizer = model.Model.Tokenizer;
        var ids = tokenizer.Encode(Text, null, 32).Ids;

        // One token in seven hidden at a time, from the text alone.
        double summed = 0;
        using (NewDisposeScope())
        {
            using var network = Network(model);
            for (var pass = 0; pass < 7; pass++)
            {
                var hidden = ids.Select((id, t) => t > 0 && t < ids.Length - 1 && (t - 1) % 7 == pass ? tokenizer.MaskId : id).ToArray();
                using var batch = TokenBatch.Create([new EncodedText(hidden, null, false)], model.Model.Config, CPU);
                var logits = network.forward(batch)[0].to(float64);
                for (var t = 1; t < ids.Length - 1; t++)
                    if ((t - 1) % 7 == pass) summed += (logits[t].logsumexp(0) - logits[t][ids[t]]).item<double>();
            }
        }
        var rows = Encode(model, ["a row before", Text, ""]);

        Assert.Equal(summed / Text.Length, rows[1].Loss, 1e-4);
        Assert.True(float.IsNaN(rows[2].Loss));
    }

    [Fact]
    public void Loss_AfterTraining_IsLowerOnItsKindOfTextThanOnAnother()
    {
        using var model = Fit(Lines(120), Options with { MaxSteps = 60, LearningRate = 3e-3 });

        var rows = Encode(model, ["abcabcabcabcabc", "q#Zp0!kV&w%yR]t"]);

        Assert.True(rows[0].Loss + 1 < rows[1].Loss, $"{rows[0].Loss}, {rows[1].Loss}");
    }

    [Fact]
    public void SaveAndLoad_InAChain_GivesTheSameColumnsAndGoesOnWithoutTheBase()
    {
        var view = _ml.Data.LoadFromEnumerable(Lines(20));
        var pipeline = _ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, Options).Append(_ml.Transforms.CopyColumns("Copy", "Features"));
        var model = pipeline.Fit(view);
        _ml.Model.SaveAtomically(model, view.Schema, _folder.File("m.mlnet"));
        var expected = Rows(model.Transform(view));

        var loaded = new MLContext().Model.Load(_folder.File("m.mlnet"), out _);

        Assert.Equal(expected, Rows(loaded.Transform(view)));
        var transformer = ((IEnumerable<ITransformer>)loaded).OfType<MaskedLanguageModelTransformer>().Single();
        Assert.EndsWith(" (pretrained further)", transformer.Model.Name);
        Assert.NotEmpty(transformer.TrainingReport.Epochs);
        (loaded as IDisposable)?.Dispose();
        (model as IDisposable)?.Dispose();

        static (string, string)[] Rows(IDataView view) =>
            [.. view.GetColumn<float[]>("Copy").Zip(view.GetColumn<float>("Loss"), (vector, loss) => (string.Join(' ', vector), $"{loss}"))];
    }

    [Fact]
    public void Features_TrainABinaryClassifierOfMLNet()
    {
        var view = _ml.Data.LoadFromEnumerable(Lines(80));
        var pipeline = _ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, Options with { LossColumnName = null, MaxSteps = 2 })
            .AppendCacheCheckpoint(_ml)
            .Append(_ml.BinaryClassification.Trainers.SdcaLogisticRegression());
        using var model = pipeline.Fit(view);

        var metrics = _ml.BinaryClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(Lines(40, first: 200))));

        Assert.InRange(metrics.Accuracy, 0.95, 1);
    }

    [Fact]
    public void Model_FineTunedByLora_StandsAloneWhenTheEncoderIsDisposed()
    {
        var encoder = Fit(Lines(20), Options);
        var ml = new MLContext(1);
        using var classifier = CapitalTask.Trainer(ml, model: encoder.Model).Fit(CapitalTask.Keyed(ml, CapitalTask.Rows(64)));
        var expected = CapitalTask.Scores(classifier, CapitalTask.Rows(8));
        encoder.Dispose();

        Assert.Equal(expected, CapitalTask.Scores(classifier, CapitalTask.Rows(8)));
        ml.Model.SaveAtomically(classifier, null, _folder.File("c.mlnet"));
        using var loaded = (TextClassificationTransformer)ml.Model.Load(_folder.File("c.mlnet"), out _);
        Assert.Equal(encoder.Model.ContentHash, loaded.BaseModel.ContentHash);
    }

    [Fact]
    public void PredictionEngine_GivesWhatTransformGives()
    {
        using var model = Fit(Lines(20), Options);
        var expected = Encode(model, ["abc abc"])[0];

        using var engine = _ml.Model.CreatePredictionEngine<Line, Encoded>(model, new PredictionEngineOptions { OwnsTransformer = false });
        var actual = engine.Predict(new Line { Text = "abc abc" });

        Assert.Equal(expected.Features, actual.Features);
        Assert.Equal(expected.Loss, actual.Loss);
    }

    [Fact]
    public void GetOutputSchema_BeforeAndAfterFit_Agree()
    {
        var view = _ml.Data.LoadFromEnumerable(Lines(4));
        var estimator = _ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, Options);
        var planned = estimator.GetOutputSchema(SchemaShape.Create(view.Schema));
        using var model = estimator.Fit(view);

        var actual = SchemaShape.Create(model.GetOutputSchema(view.Schema));

        Assert.Equal(actual.Select(column => (column.Name, column.Kind, column.ItemType)), planned.Select(column => (column.Name, column.Kind, column.ItemType)));
        Assert.Equal(CapitalTask.Base.Config.HiddenSize, ((VectorDataViewType)model.GetOutputSchema(view.Schema)["Features"].Type).Size);
        Assert.DoesNotContain("Loss", _ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, sentence1ColumnName: "Text")
            .GetOutputSchema(SchemaShape.Create(view.Schema)).Select(column => column.Name));
    }

    [Fact]
    public void Fit_BadColumnsOrOptions_AreRefusedAtTheDoor()
    {
        var view = _ml.Data.LoadFromEnumerable(Lines(4));
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, sentence1ColumnName: "Label").Fit(view));
        Assert.Contains("Column 'Label' holds Boolean; MaskedLanguageModel reads text. Set Sentence1ColumnName", error.Message, StringComparison.Ordinal);

        var faults = Assert.Throws<ArgumentException>(() => _ml.Transforms.Text.MaskedLanguageModel(
            CapitalTask.Base, Options with { OutputColumnName = "Loss", Sentence1ColumnName = " ", EvaluateEverySteps = 3, BatchSize = 0 }));
        foreach (var text in new[] { "Sentence1ColumnName is empty", "are both 'Loss'", "EvaluateEverySteps is 3 without ValidationSet", "BatchSize is 0" })
            Assert.Contains(text, faults.Message, StringComparison.Ordinal);

        var empty = _ml.Data.LoadFromEnumerable(new[] { new Line(), new Line { Text = " " } });
        Assert.Contains("There is no text", Assert.Throws<ArgumentException>(() => Fit(empty, Options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_WithValidationSet_ReportsItsLoss()
    {
        using var model = Fit(Lines(20), Options with { ValidationSet = _ml.Data.LoadFromEnumerable(Lines(4)), EvaluateEverySteps = 2 });

        Assert.Equal([2L, 4, 6], model.TrainingReport.Evaluations.Select(evaluation => evaluation.Step));
        Assert.NotNull(model.TrainingReport.Epochs[^1].ValidationLoss);
    }

    [Fact]
    public void Fit_OnAGpuThatIsNotThere_FollowsTheContext()
    {
        var ml = new MLContext(1) { GpuDeviceId = 99, FallbackToCpu = false };
        var view = ml.Data.LoadFromEnumerable(Lines(4));
        var estimator = ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, Options with { Device = null });

        Assert.Contains("GpuDeviceId is 99", Assert.Throws<InvalidOperationException>(() => estimator.Fit(view)).Message, StringComparison.Ordinal);
        ml.FallbackToCpu = true;
        using var model = estimator.Fit(view);
        Assert.Equal("cpu", model.TrainingReport.Device);
    }

    [Fact]
    public void Fit_Cancelled_LeavesNothing()
    {
        using var cancellation = new CancellationTokenSource();
        using (var warm = Fit(Lines(8), Options)) Encode(warm, ["a"]);
        var options = Options with
        {
            Progress = new OnStep(step => { if (step.Step == 2) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
            CheckpointFolder = _folder.File("checkpoints"),
        };
        var before = LiveTensors.Settled();
        var held = SharedWeights.HeldCount;

        Assert.ThrowsAny<OperationCanceledException>(() => Fit(Lines(40), options));
        // The network that was in training; then the one that went on, and the one that scores.
        var parameters = NetworkShapes.OfMaskedLanguageModel(CapitalTask.Base.Config).Count;
        Assert.Equal(before + parameters, LiveTensors.Now);
        Fit(Lines(40), options with { CancellationToken = default, Progress = null, Resume = true }).Dispose();
        Assert.Equal(before + 3 * parameters, LiveTensors.Now);
        Assert.Equal(held, SharedWeights.HeldCount);
    }

    [Fact]
    public void Dispose_Then_RefusesNewWorkAndFreesEverything()
    {
        using (var warm = Fit(Lines(8), Options)) Encode(warm, ["a"]);
        var parameters = ParameterCount();
        var before = LiveTensors.Settled();
        var held = SharedWeights.HeldCount;

        var model = Fit(Lines(8), Options);
        Encode(model, ["abc", "de"]);
        model.Dispose();

        // The network in training, and the one that scores.
        Assert.Equal(before + 2 * parameters, LiveTensors.Now);
        Assert.Equal(held, SharedWeights.HeldCount);
        Assert.Throws<ObjectDisposedException>(() => Encode(model, ["a"]));
        Assert.Throws<ObjectDisposedException>(() => model.SaveFolder(_folder.File("none")));
        Assert.False(Directory.Exists(_folder.File("none")));

        int ParameterCount()
        {
            using var alive = Fit(Lines(8), Options);
            using var network = Network(alive);
            return network.parameters().Count();
        }
    }

    [Theory]
    [InlineData("encoder.json", "\"max_tokens\": 32", "\"max_tokens\": 3000")]
    [InlineData("encoder.json", "\"content_hash\": \"", "\"content_hash\": \"0")]
    [InlineData("config.json", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"gelu_new\"")]
    public void Load_OfAChangedFile_IsRefused(string entry, string found, string put)
    {
        using (var model = Fit(Lines(8), Options)) _ml.Model.SaveAtomically(model, null, _folder.File("m.mlnet"));
        using (var zip = System.IO.Compression.ZipFile.Open(_folder.File("m.mlnet"), System.IO.Compression.ZipArchiveMode.Update))
        {
            var old = zip.Entries.Single(each => each.Name == entry);
            string text;
            using (var reader = new StreamReader(old.Open())) text = reader.ReadToEnd();
            Assert.Contains(found, text);
            var path = old.FullName;
            old.Delete();
            using var writer = new StreamWriter(zip.CreateEntry(path, System.IO.Compression.CompressionLevel.NoCompression).Open());
            writer.Write(text.Replace(found, put, StringComparison.Ordinal));
        }

        LiveTensors.Settled();
        var held = SharedWeights.HeldCount;

        var error = Assert.ThrowsAny<Exception>(() => _ml.Model.Load(_folder.File("m.mlnet"), out _));
        while (error is not InvalidDataException && error.InnerException is { } inner) error = inner;
        Assert.IsType<InvalidDataException>(error);
        Assert.Equal(held, SharedWeights.HeldCount);
    }

    private MaskedLanguageModelTransformer Fit(IEnumerable<Line> rows, MaskedLanguageModelOptions options) => Fit(_ml.Data.LoadFromEnumerable(rows.ToArray()), options);

    private MaskedLanguageModelTransformer Fit(IDataView view, MaskedLanguageModelOptions options) =>
        _ml.Transforms.Text.MaskedLanguageModel(CapitalTask.Base, options).Fit(view);

    private Encoded[] Encode(ITransformer model, string[] texts) =>
        [.. _ml.Data.CreateEnumerable<Encoded>(model.Transform(_ml.Data.LoadFromEnumerable(texts.Select(text => new Line { Text = text }))), reuseRowObject: false)];

    private static MaskedLanguageModel Network(MaskedLanguageModelTransformer model)
    {
        using var weights = SharedWeights.Acquire(model.Model, CPU);
        var network = new MaskedLanguageModel(
            new NetworkContext(model.Model.Config, new PlainProjections(), null), new ParameterSource(weights.Tensors, CPU, _ => false, null));
        network.eval();
        return network;
    }

    private static Line[] Lines(int count, int first = 0) =>
        [.. Enumerable.Range(first, count).Select(n => new Line { Text = n % 2 == 0 ? $"abcabcabcabc {n % 9}" : $"xyxyxyxyxyxy {n % 7}", Label = n % 2 == 0 })];
}

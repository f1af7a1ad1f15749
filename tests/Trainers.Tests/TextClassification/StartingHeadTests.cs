using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>Checkpoints that bring a classification head: it is gone on from where it fits, and nowhere else.</summary>
[Collection(ProcessWide.Name)]
public class StartingHeadTests : IDisposable
{
    /// <summary>So small that a step rounds away: what comes out is what training began with.</summary>
    private const double NoLearning = 1e-30;

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _log = [];

    public void Dispose() => _folder.Dispose();

    public static TheoryData<ModelFamily, FineTuningMethod> Starts => new(
        from family in Enum.GetValues<ModelFamily>() from method in Enum.GetValues<FineTuningMethod>() select (family, method));

    [Theory]
    [MemberData(nameof(Starts))]
    public void Fit_LabelsOfTheHeadInAnotherOrder_StartsFromItByValue(ModelFamily family, FineTuningMethod method)
    {
        var model = Open(["cat", "ant", "bee"], family);
        var rows = CapitalTask.Rows(12);

        using var fitted = Fit(model, method, ["bee", "cat", "ant"]);

        Assert.Contains(_log, line => line.Contains("knows the same 3 classes; training starts from it", StringComparison.Ordinal));
        Assert.Equal(["bee", "cat", "ant"], fitted.ClassNames);
        var expected = OwnLogits(model, rows);
        foreach (var (r, scores) in CapitalTask.Scores(fitted, rows).Index())
        {
            Assert.Equal(expected[r][2], scores[0], 1e-5);       // bee is the checkpoint's third
            Assert.Equal(expected[r][0], scores[1], 1e-5);
            Assert.Equal(expected[r][1], scores[2], 1e-5);
        }
    }

    [Fact]
    public void Fit_SavedLoadedAndFittedAgain_StartsFromTheSameHead()
    {
        var model = Open(["cat", "ant", "bee"]);
        var ml = new MLContext(1);
        using var first = Fit(model, FineTuningMethod.Lora, CapitalTask.Labels);
        ml.Model.Save(first, null, _folder.File("m.mlnet"));

        using var loaded = (TextClassificationTransformer)ml.Model.Load(_folder.File("m.mlnet"), out _);
        using var again = Fit(loaded.BaseModel, FineTuningMethod.Lora, CapitalTask.Labels);

        Assert.Equal(model.ContentHash, loaded.BaseModel.ContentHash);
        Assert.Equal(model.Contents.ClassificationHead!.LabelNames, loaded.BaseModel.Contents.ClassificationHead!.LabelNames);
        var rows = CapitalTask.Rows(5);
        Assert.Equal(CapitalTask.Scores(first, rows), CapitalTask.Scores(loaded, rows));
        Assert.Equal(CapitalTask.Scores(first, rows), CapitalTask.Scores(again, rows));
    }

    [Theory]
    [InlineData("cat,ant", "tells apart 2 classes ('cat', 'ant'), the label column 3 ('ant', 'bee', 'cat'); training starts from a new head.")]
    [InlineData("cat,ant,bee,dog", "tells apart 4 classes ('cat', 'ant', 'bee', 'dog')")]
    [InlineData("cat,ant,dog", "tells apart 3 classes ('cat', 'ant', 'dog')")]
    [InlineData("Cat,ant,bee", "tells apart 3 classes ('Cat', 'ant', 'bee')")]
    [InlineData("cat,cat,bee", "tells apart 3 classes ('cat', 'cat', 'bee')")]
    [InlineData("LABEL_0,LABEL_1,LABEL_2", "tells apart 3 classes ('LABEL_0', 'LABEL_1', 'LABEL_2')")]
    public void Fit_OtherClasses_SaysSoAndDrawsTheHeadAsWithoutOne(string names, string expected)
    {
        var model = Open(names.Split(','));
        using var headless = new TemporaryFolder();
        var without = PretrainedModel.FromFolder(TinyCheckpoint.Write(headless.FullName));

        using var fitted = Fit(model, FineTuningMethod.Lora, CapitalTask.Labels);
        Assert.Contains(_log, line => line.Contains(expected, StringComparison.Ordinal));
        _log.Clear();
        using var other = Fit(without, FineTuningMethod.Lora, CapitalTask.Labels);

        Assert.DoesNotContain(_log, line => line.Contains("head", StringComparison.Ordinal));
        var rows = CapitalTask.Rows(5);
        Assert.Equal(CapitalTask.Scores(other, rows), CapitalTask.Scores(fitted, rows));
    }

    [Fact]
    public void Fit_HeadWithoutNames_SaysSoAndDrawsAnew()
    {
        Open(["cat", "ant", "bee"]);
        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(_folder.File("config.json")))!.AsObject();
        config.Remove("id2label");
        _folder.Write("config.json", config.ToJsonString());

        Fit(PretrainedModel.FromFolder(_folder.FullName), FineTuningMethod.Lora, CapitalTask.Labels).Dispose();

        Assert.Contains(_log, line => line.Contains("tells apart 3 classes without names, the label column 3", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("cat,ant,bee")]
    [InlineData("cat,ant")]
    public void Fit_OfACheckpointWithAHead_LeavesNoTensorBehind(string names)
    {
        var model = Open(names.Split(','));
        // Each Parameter leaves one in the count: those of the fit's network and of the transformer's.
        var made = 2 * CapitalTask.ParameterCount(FineTuningMethod.Lora);
        var before = LiveTensors.Settled();

        Fit(model, FineTuningMethod.Lora, CapitalTask.Labels).Dispose();

        Assert.Equal(before + made, LiveTensors.Now);
    }

    private PretrainedModel Open(string[] names, ModelFamily family = ModelFamily.Roberta) =>
        PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName, change: family is ModelFamily.Roberta ? null : TinyCheckpoint.Family(family), labels: names));

    private TextClassificationTransformer Fit(PretrainedModel model, FineTuningMethod method, string[] order)
    {
        var ml = new MLContext(1);
        ml.Log += (_, entry) => _log.Add(entry.Message);
        var options = CapitalTask.Options with { MaxEpochs = 1, LearningRate = NoLearning, ScoreKind = ScoreKind.Logit };
        return CapitalTask.Trainer(ml, method, options, model).Fit(CapitalTask.Keyed(ml, CapitalTask.Rows(24), order));
    }

    private float[][] OwnLogits(PretrainedModel model, CapitalRow[] rows)
    {
        using var network = CheckpointNetwork.Open(_folder.FullName, CPU);
        return [.. rows.Select(row =>
        {
            using var scope = NewDisposeScope();
            using var batch = TokenBatch.Create([model.Tokenizer.Encode(row.Sentence1, null, 32)], model.Config, CPU);
            return network.Forward(batch).Logits.data<float>().ToArray();
        })];
    }
}

using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Classification;

[Collection(ProcessWide.Name)]
public class TextClassifierTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;

    public TextClassifierTests() => _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Score_ARowAmongLongerOnes_IsItsScoreAlone()
    {
        using var classifier = Create();
        var texts = new[] { "a", "a longer text", "an even longer text than that" }.Select(text => _model.Tokenizer.Encode(text, null, 32)).ToArray();

        var together = classifier.Score(texts);

        foreach (var (r, text) in texts.Index())
            foreach (var (c, logit) in classifier.Score([text]).Index()) Assert.Equal(logit, together[r * 3 + c], 1e-5);
    }

    [Fact]
    public void Constructor_MisshapenWeight_FreesWhatItMadeAndLeavesTheCallersTensors()
    {
        var tuned = Head();
        tuned["classifier.out_proj.weight"].Dispose();
        tuned["classifier.out_proj.weight"] = zeros([4, 32], device: CPU);
        // The misshapen one is the last but one to be made; each Parameter leaves one in the count.
        var made = ParameterCount() - 2;
        var before = LiveTensors.Settled();

        var error = Assert.Throws<InvalidDataException>(() => new TextClassifier(new ClassifierDescription(_model, new LoraOptions { Rank = 1 }, 3, 32), tuned, CPU));

        Assert.Contains("classifier.out_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.False(tuned["classifier.dense.weight"].IsInvalid);
        Assert.Equal(before + made, LiveTensors.Now);
        foreach (var tensor in tuned.Values) tensor.Dispose();
    }

    [Fact]
    public void Constructor_WithoutTheTrainedHead_DoesNotTakeTheBases()
    {
        using var folder = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName, labels: ["a", "b", "c"]));
        var tuned = Head();
        foreach (var key in tuned.Keys.Where(key => SequenceClassifier.IsHeadKey(key, model.Config)).ToList())
        {
            tuned[key].Dispose();
            tuned.Remove(key);
        }

        var error = Assert.Throws<InvalidDataException>(() => new TextClassifier(new ClassifierDescription(model, new LoraOptions { Rank = 1 }, 3, 32), tuned, CPU));

        Assert.Contains("classifier.dense.weight is missing and has no default", error.Message, StringComparison.Ordinal);
        foreach (var tensor in tuned.Values) tensor.Dispose();
    }

    [Fact]
    public void Keys_ThatAFitNeverMakes_ArePublished()
    {
        var tuned = Head();
        using (var share = SharedWeights.Acquire(_model, CPU))
        {
            tuned["roberta.encoder.layer.1.output.dense.bias"] = share.Tensors["roberta.encoder.layer.1.output.dense.bias"].clone();
            tuned["lm_head.bias"] = share.Tensors["lm_head.bias"].clone();
        }
        tuned["nobody.asks"] = zeros(1, device: CPU);

        using var sound = Create();
        using var odd = new TextClassifier(new ClassifierDescription(_model, new LoraOptions { Rank = 1 }, 3, 32), tuned, CPU);

        Assert.Empty(sound.UnusedKeys);
        Assert.Empty(sound.OverridingKeys);
        Assert.Equal(["lm_head.bias", "nobody.asks"], odd.UnusedKeys);
        Assert.Equal(["lm_head.bias", "roberta.encoder.layer.1.output.dense.bias"], odd.OverridingKeys);
    }

    [Fact]
    public void Dispose_FreesTunedWeightsAndTheShare()
    {
        var classifier = Create();
        Assert.Equal(1, SharedWeights.HeldCount);
        classifier.Dispose();

        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.All(classifier.Tuned.Values, tensor => Assert.True(tensor.IsInvalid));
        Assert.NotNull(Record.Exception(() => classifier.Score([_model.Tokenizer.Encode("a", null, 32)])));
    }

    private TextClassifier Create() => new(new ClassifierDescription(_model, new LoraOptions { Rank = 1 }, 3, 32), Head(), CPU);

    private int ParameterCount()
    {
        using var generator = new Generator(3, CPU);
        var source = new ParameterSource(new Dictionary<string, Tensor>(), CPU, _ => false, generator);
        using var network = new SequenceClassifier(new NetworkContext(_model.Config, new LoraProjections(new LoraOptions { Rank = 1 }), null), source, 3);
        return network.parameters().Count();
    }

    private Dictionary<string, Tensor> Head()
    {
        using var generator = new Generator(3, CPU);
        var options = new LoraOptions { Rank = 1 };
        using var share = SharedWeights.Acquire(_model, CPU);
        var source = new ParameterSource(share.Tensors, CPU, _ => false, generator);
        using var network = new SequenceClassifier(new NetworkContext(_model.Config, new LoraProjections(options), null), source, 3);
        return network.named_parameters().Where(parameter => source.Initialized.Contains(parameter.name))
            .ToDictionary(parameter => parameter.name, parameter => parameter.parameter.detach().clone());
    }
}

using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

public class CheckpointNetworkTests
{
    [Theory]
    [InlineData("roberta-tiny-parity", null)]
    [InlineData("bert-tiny-parity", null)]
    [InlineData("bert-tiny-parity/classification", 3)]
    public void Open_FolderWithoutTokenizer_TakesTheNetworkFromItsHead(string fixture, int? classes)
    {
        var folder = SharedData.Path(fixture.Split('/'));
        using var expected = ParityFixture.Open(folder);

        using var network = CheckpointNetwork.Open(folder, CPU);
        using var scope = NewDisposeScope();
        var (logits, hidden) = network.Forward(expected.Batch);

        Assert.Equal(classes, network.ClassCount);
        expected.AssertClose("logits", logits, 2e-5);
        expected.AssertClose("last_hidden_state", hidden, 2e-5);
    }

    [Fact]
    public void Open_BothHeads_FollowsArchitectures()
    {
        using var folder = new TemporaryFolder();
        Write(folder, "BertForSequenceClassification", languageModelHead: true, classes: 4);
        using var classifier = CheckpointNetwork.Open(folder.FullName, CPU);
        Write(folder, "BertForMaskedLM", languageModelHead: true, classes: 4);
        using var languageModel = CheckpointNetwork.Open(folder.FullName, CPU);

        Assert.Equal(4, classifier.ClassCount);
        Assert.Null(languageModel.ClassCount);
    }

    [Fact]
    public void Open_NoHead_SaysWhichHeadsThereCouldBe()
    {
        using var folder = new TemporaryFolder();
        Write(folder, "BertModel", languageModelHead: false, classes: null);

        var error = Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(folder.FullName, CPU));

        Assert.Contains("no head to run", error.Message);
        Assert.Contains("classifier.weight", error.Message);
    }

    private static EncoderConfig Config => new()
    {
        Family = ModelFamily.Bert, VocabularySize = 10, HiddenSize = 4, LayerCount = 1, HeadCount = 1, IntermediateSize = 4, MaxPositions = 8,
    };

    private static void Write(TemporaryFolder folder, string architecture, bool languageModelHead, int? classes)
    {
        using var scope = NewDisposeScope();
        var shapes = NetworkShapes.OfMaskedLanguageModel(Config).Where(shape => languageModelHead || !MaskedLanguageModel.IsHeadKey(shape.Key, Config)).ToDictionary();
        if (classes is { } count)
            foreach (var (key, shape) in NetworkShapes.OfClassifier(Config, count)) shapes.TryAdd(key, shape);
        folder.Write("config.json", Config.ToJson([architecture]));
        SafetensorsWriter.Write(folder.File(Checkpoint.FileName),
            [.. shapes.Select(shape => KeyValuePair.Create(shape.Key, zeros(shape.Value, dtype: float32, device: CPU)))]);
    }
}

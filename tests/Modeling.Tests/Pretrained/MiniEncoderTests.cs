using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

public class MiniEncoderTests
{
    [Fact]
    public void MiniEncoder_IsComplete_AsItsCardSays()
    {
        var model = PretrainedModel.MiniEncoder;

        Assert.Equal("mini-encoder", model.Name);
        Assert.Empty(model.InitializedKeys);
        Assert.True(model.HasLanguageModelHead);
        Assert.Equal((8000, 192, 4, 256), (model.Config.VocabularySize, model.Config.HiddenSize, model.Config.LayerCount, model.Config.MaxTokens));
        Assert.Equal(8000, model.Tokenizer.VocabularySize);
        Assert.True(model.Card.FullLearningRate > ModelCard.General.FullLearningRate);
    }

    [Fact]
    public void MiniEncoder_GuessingAMaskedWord_IsFarBetterThanChance()
    {
        var model = PretrainedModel.MiniEncoder;
        using var scope = NewDisposeScope();
        using var shared = SharedWeights.Acquire(model, CPU);
        using var network = new MaskedLanguageModel(
            new NetworkContext(model.Config, new PlainProjections(), null), new ParameterSource(shared.Tensors, CPU, _ => false, null));
        network.eval();
        // Held out of pretraining: the beginning of samples/data/retention.txt's kind of text.
        var ids = model.Tokenizer.Encode("The President of the United States spoke to the Congress about the state of the Union.", null, 64).Ids;
        double loss = 0;
        var places = Enumerable.Range(1, ids.Length - 2).ToArray();
        foreach (var place in places)
        {
            var masked = (int[])ids.Clone();
            masked[place] = model.Tokenizer.MaskId;
            using var batch = TokenBatch.Create([new EncodedText(masked, null, false)], model.Config, CPU);
            var logits = network.ForwardAt(batch, tensor(new long[] { place }, device: CPU));
            loss += nn.functional.cross_entropy(logits, tensor(new long[] { ids[place] }, device: CPU)).item<float>();
        }

        Assert.True(loss / places.Length < Math.Log(8000) - 2, $"{loss / places.Length:F2} nats a token");
    }
}

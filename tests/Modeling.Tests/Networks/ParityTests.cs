using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>Our networks against Hugging Face's own modules, run in PyTorch on the same weights.</summary>
public class ParityTests
{
    private const double LogitTolerance = 2e-5;
    private const double LossTolerance = 1e-5;

    [Theory]
    [InlineData("roberta-tiny-parity")]
    [InlineData("bert-tiny-parity")]
    public void MaskedLanguageModel_OnReferenceInputs_GivesReferenceLogitsHiddenStatesAndLoss(string fixture)
    {
        using var parity = ParityFixture.Open(SharedData.Path(fixture));
        using var network = parity.Build((context, source) => new MaskedLanguageModel(context, source));

        var (logits, hidden) = network.ForwardWithHiddenState(parity.Batch);

        parity.AssertClose("logits", logits, LogitTolerance);
        parity.AssertClose("last_hidden_state", hidden, LogitTolerance);
        Assert.Equal(parity.Expected.GetProperty("mlm_loss").GetDouble(), parity.MeanLoss(logits), LossTolerance);
        logits.Dispose();
        hidden.Dispose();
    }

    [Fact]
    public void MaskedLanguageModel_AtChosenPositions_EqualsTheFullForward()
    {
        using var parity = ParityFixture.Open(SharedData.Path("roberta-tiny-parity"));
        using var network = parity.Build((context, source) => new MaskedLanguageModel(context, source));
        using var scope = NewDisposeScope();
        var positions = tensor(new long[] { 2, 21, 57 }, device: CPU);

        var all = network.forward(parity.Batch).flatten(0, 1).index_select(0, positions);
        var chosen = network.ForwardAt(parity.Batch, positions);

        Assert.True((all - chosen).abs().max().item<float>() < 1e-6);
    }

    [Fact]
    public void SequenceClassifier_OnPairsWithTokenTypes_GivesReferenceLogitsAndHiddenStates()
    {
        using var parity = ParityFixture.Open(SharedData.Path("bert-tiny-parity", "classification"));
        using var network = parity.Build((context, source) => new SequenceClassifier(context, source, classCount: 3));

        var (logits, hidden) = network.ForwardWithHiddenState(parity.Batch);

        parity.AssertClose("logits", logits, LogitTolerance);
        parity.AssertClose("last_hidden_state", hidden, LogitTolerance);
        logits.Dispose();
        hidden.Dispose();
    }

    [Fact]
    public void LoraProjections_WithReferenceAdapter_GiveReferenceLogits()
    {
        var folder = SharedData.Path("roberta-tiny-parity");
        using var parity = ParityFixture.Open(folder);
        using var adapter = Checkpoint.Open(Path.Combine(folder, "adapter", "adapter_model.safetensors"));
        foreach (var key in adapter.Entries.Keys)
            parity.Weights[key["base_model.model.".Length..]] = adapter.Read(key);
        var lora = new LoraOptions { Rank = 4, Alpha = 8, TargetModules = ["query", "value"] };
        using var network = parity.Build((context, source) => new MaskedLanguageModel(context, source), new LoraProjections(lora));
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "adapter", "expected.safetensors"));
        using var scope = NewDisposeScope();

        var logits = network.forward(parity.Batch);

        parity.AssertClose(expected.Read("logits"), logits, LogitTolerance);
    }

    [Fact]
    public void AttentionWithDropoutFormula_AtDropoutNearZero_EqualsFusedKernel()
    {
        using var parity = ParityFixture.Open(SharedData.Path("roberta-tiny-parity"));
        using var generator = new Generator(1, CPU);
        var config = parity.Config with { HiddenDropout = 0, AttentionDropout = 1e-9 };
        using var fused = parity.Build((context, source) => new MaskedLanguageModel(context, source));
        using var spelledOut = new MaskedLanguageModel(
            new NetworkContext(config, new PlainProjections(), new RandomDropout(generator)), parity.Source());
        spelledOut.train();
        using var scope = NewDisposeScope();

        var difference = (fused.forward(parity.Batch) - spelledOut.forward(parity.Batch)).abs();

        Assert.True(difference.masked_select(parity.Batch.Attended.unsqueeze(-1)).max().item<float>() < 1e-5);
    }

    [Theory]
    [InlineData("roberta-tiny-parity")]
    [InlineData("bert-tiny-parity")]
    public void RegisteredNames_OfTheLanguageModel_AreTheCheckpointsKeys(string fixture)
    {
        using var parity = ParityFixture.Open(SharedData.Path(fixture));
        using var network = parity.Build((context, source) => new MaskedLanguageModel(context, source));

        Assert.Equal(
            parity.Weights.Keys.Where(key => !key.Contains("pooler")).Order(StringComparer.Ordinal),
            network.named_parameters().Select(parameter => parameter.name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void LanguageModelHead_OfRoberta_IsGeluWhateverHiddenActSays()
    {
        // Hugging Face's RobertaLMHead calls gelu; BertPredictionHeadTransform calls hidden_act.
        using var roberta = ParityFixture.Open(SharedData.Path("roberta-tiny-parity"));
        using var bert = ParityFixture.Open(SharedData.Path("bert-tiny-parity"));

        Assert.True(HeadEquals(roberta, "lm_head.dense", "lm_head.layer_norm", "lm_head.bias", x => nn.functional.gelu(x)));
        Assert.True(HeadEquals(bert, "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias", x => nn.functional.relu(x)));

        static bool HeadEquals(ParityFixture parity, string dense, string norm, string bias, Func<Tensor, Tensor> activate)
        {
            using var scope = NewDisposeScope();
            var config = parity.Config with { HiddenActivation = HiddenActivation.Relu };
            using var network = new MaskedLanguageModel(new NetworkContext(config, new PlainProjections(), null), parity.Source());
            network.eval();
            var (logits, hidden) = network.ForwardWithHiddenState(parity.Batch);
            var w = parity.Weights;

            var transformed = nn.functional.layer_norm(
                activate(nn.functional.linear(hidden, w[$"{dense}.weight"], w[$"{dense}.bias"])), [config.HiddenSize],
                w[$"{norm}.weight"], w[$"{norm}.bias"], config.LayerNormEpsilon);
            var expected = nn.functional.linear(transformed, w[$"{config.CheckpointPrefix}.embeddings.word_embeddings.weight"], w[bias]);
            return logits.allclose(expected, atol: 1e-5);
        }
    }
}

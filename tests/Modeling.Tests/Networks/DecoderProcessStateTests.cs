using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>What decoders leave behind, and what they take from, the process: nothing.</summary>
[Collection(ProcessWide.Name)]
public class DecoderProcessStateTests
{
    [Fact]
    public void TrainingStep_LeavesNoTensorBehind()
    {
        using var network = Trainable();
        Step(network);
        var before = LiveTensors.Settled();
        Step(network);
        Assert.Equal(before, LiveTensors.Now);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Generate_LeavesNoTensorBehind(bool usesCache)
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        var options = new GenerationOptions { MaxNewTokens = 5, UsesCache = usesCache };
        generator.Generate(["a", "the zebra"], options, TestContext.Current.CancellationToken);
        var before = LiveTensors.Settled();
        generator.Generate(["a", "the zebra"], options, TestContext.Current.CancellationToken);
        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void DefaultDevice_PlaysNoPart()
    {
        using var folder = new TemporaryFolder();
        TinyDecoder.Write(folder.FullName, "mistral");

        Assert.Equal(TrainAndGenerate(folder.FullName), WithMetaAsDefault(() => TrainAndGenerate(folder.FullName)));
    }

    [Fact]
    public void GlobalGenerator_IsNotTouched()
    {
        using var folder = new TemporaryFolder();
        TinyDecoder.Write(folder.FullName);
        using var before = random.get_rng_state();
        TrainAndGenerate(folder.FullName);
        using var after = random.get_rng_state();
        Assert.Equal(before.data<byte>().ToArray(), after.data<byte>().ToArray());
    }

    private static string TrainAndGenerate(string folder)
    {
        using var network = Trainable();
        var loss = Step(network);
        using var generator = TextGenerator.Open(folder, CPU);
        var text = generator.Generate("the zebra", new GenerationOptions { MaxNewTokens = 8, Temperature = 1 }, TestContext.Current.CancellationToken);
        return FormattableString.Invariant($"{loss:R} {string.Join(' ', text.Ids)}");
    }

    private static CausalLanguageModel Trainable() => TinyDecoder.Draw(TinyDecoder.Config(), new LoraProjections(new LoraOptions()), LoraProjections.IsAdapterKey);

    private static float Step(CausalLanguageModel network)
    {
        using var scope = NewDisposeScope();
        using var batch = CausalBatch.Create([[5, 80, 300, 7], [9, 1000]], TinyDecoder.Config(), CPU);
        var loss = NextTokenLoss.Mean(network.forward(batch), batch.Labels());
        loss.backward();
        foreach (var parameter in network.parameters().Where(parameter => parameter.requires_grad)) parameter.grad = null;
        return loss.item<float>();
    }

    private static T WithMetaAsDefault<T>(Func<T> run)
    {
        set_default_device(META);
        try
        {
            return run();
        }
        finally
        {
            set_default_device(CPU);
        }
    }
}

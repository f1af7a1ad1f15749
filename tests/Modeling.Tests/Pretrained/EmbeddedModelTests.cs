using System.Security.Cryptography;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

[Collection(ProcessWide.Name)]
public class EmbeddedModelTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;

    public EmbeddedModelTests() => _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_TrainedTensors_IsAModelThatOutlivesThemUntilItIsDisposed()
    {
        var source = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        EmbeddedModel embedded;
        using (var shared = SharedWeights.Acquire(source, CPU))
            embedded = EmbeddedModel.Of("made", source.Config, source.Tokenizer, source.Card, shared.Tensors);

        Assert.Equal(source.ContentHash, embedded.Model.ContentHash);
        using (var written = new MemoryStream())
        {
            embedded.Model.WriteWeights(written);
            Assert.NotEqual(0, written.Length);
        }
        embedded.Dispose();
        Assert.Throws<ObjectDisposedException>(() => embedded.Model.WriteWeights(Stream.Null));
    }

    [Fact]
    public void WriteWeights_AfterDispose_Refuses()
    {
        var embedded = Embed();
        embedded.Dispose();

        // Not an empty stream: that would be saved as a model without weights.
        var error = Assert.Throws<ObjectDisposedException>(() => embedded.Model.WriteWeights(Stream.Null));
        Assert.Contains("came with a model file", error.Message, StringComparison.Ordinal);
        Assert.Throws<ObjectDisposedException>(() => SharedWeights.Acquire(embedded.Model, CPU));
    }

    [Fact]
    public void Dispose_WhileAnotherOwnerIsLeft_KeepsTheWeights_AndTheLastFreesThem()
    {
        var before = LiveTensors.Settled();
        var embedded = Embed();
        var parametersOfOpening = LiveTensors.Settled() - before - embedded.Model.OpenAndCount();
        var hold = embedded.Model.HoldWeights()!;

        embedded.Dispose();
        embedded.Dispose();

        Assert.Equal(Hash(_model), Hash(embedded.Model));
        hold.Dispose();
        Assert.Throws<ObjectDisposedException>(embedded.Model.OpenWeights);
        Assert.Equal(before + parametersOfOpening, LiveTensors.Now);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_ThenDispose_LeavesTheViewReadable(bool isShared)
    {
        var embedded = Embed();
        if (isShared) embedded.Model.ShareWeightsOn(CPU);
        using var weights = embedded.Model.OpenWeights();
        var key = weights.Entries.Keys.First();
        using var expected = weights.Read(key);

        embedded.Dispose();

        using var read = weights.Read(key);
        Assert.Equal(expected.bytes.ToArray(), read.bytes.ToArray());
    }

    [Fact]
    public void ShareOn_WithAViewOpen_LeavesTheViewReadable()
    {
        using var embedded = Embed();
        using var weights = embedded.Model.OpenWeights();

        embedded.Model.ShareWeightsOn(CPU);

        Assert.All(weights.Entries.Keys, key => weights.Read(key).Dispose());
    }

    [Fact]
    public void SharedWeights_OfTheModel_KeepItsOwnWeightsToo()
    {
        var embedded = Embed();
        var share = SharedWeights.Acquire(embedded.Model, CPU);
        embedded.Dispose();

        Assert.Equal(Hash(_model), Hash(embedded.Model));

        share.Dispose();
        Assert.Throws<ObjectDisposedException>(embedded.Model.OpenWeights);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public async Task AcquireShareAndDispose_AtTheSameTime_NeitherBlockNorFail()
    {
        for (var round = 0; round < 20; round++)
        {
            var embedded = Embed();
            var hold = embedded.Model.HoldWeights()!;
            using var start = new Barrier(3);
            var all = Task.WhenAll(
                Task.Run(() =>
                {
                    start.SignalAndWait();
                    // A device that nobody holds the weights on: each call reads them.
                    for (var n = 0; n < 20; n++) SharedWeights.Acquire(embedded.Model, META).Dispose();
                }, TestContext.Current.CancellationToken),
                Task.Run(() =>
                {
                    start.SignalAndWait();
                    for (var n = 0; n < 20; n++) embedded.Model.ShareWeightsOn(CPU);
                }, TestContext.Current.CancellationToken),
                Task.Run(() =>
                {
                    start.SignalAndWait();
                    for (var n = 0; n < 5; n++) Hash(embedded.Model);
                    embedded.Dispose();
                }, TestContext.Current.CancellationToken));
            await all.WaitAsync(Patience, TestContext.Current.CancellationToken);
            hold.Dispose();
            Assert.Equal(0, SharedWeights.HeldCount);
        }
    }

    private EmbeddedModel Embed()
    {
        using var written = new MemoryStream();
        _model.WriteWeights(written);
        written.Position = 0;
        return EmbeddedModel.Read("again", _model.Config, _model.Tokenizer, _model.Card, written);
    }

    private static string Hash(PretrainedModel model)
    {
        using var stream = new MemoryStream();
        model.WriteWeights(stream);
        return Convert.ToHexString(SHA256.HashData(stream.ToArray()));
    }
}

file static class Counting
{
    public static int OpenAndCount(this PretrainedModel model)
    {
        using var weights = model.OpenWeights();
        return weights.Entries.Count;
    }
}

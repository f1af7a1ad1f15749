using System.Runtime.CompilerServices;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

[Collection(ProcessWide.Name)]
public class SharedWeightsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public void Acquire_TheSameContentTwice_LoadsOneCopyAndFreesItWithTheLastShare()
    {
        using var folder = new TemporaryFolder();
        using var copy = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName));
        var sameElsewhere = PretrainedModel.FromFolder(TinyCheckpoint.Write(copy.FullName));
        Assert.Equal(model.ContentHash, sameElsewhere.ContentHash);
        var before = LiveTensors.Settled();

        var first = SharedWeights.Acquire(model, CPU);
        var loaded = LiveTensors.Now;
        var second = SharedWeights.Acquire(sameElsewhere, CPU);
        Assert.Equal(loaded, LiveTensors.Now);
        Assert.Equal(1, SharedWeights.HeldCount);

        first.Dispose();
        first.Dispose();
        Assert.Equal(261, second.Tensors["roberta.embeddings.word_embeddings.weight"].shape[0]);
        Assert.Throws<ObjectDisposedException>(() => first.Tensors);
        second.Dispose();
        Assert.Equal(before, LiveTensors.Now);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public void ContentHash_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName));
        using var written = new MemoryStream();
        model.WriteWeights(written);
        written.Position = 0;
        using var embedded = EmbeddedModel.Read("again", model.Config, model.Tokenizer, model.Card, written);
        var before = LiveTensors.Settled();

        Assert.Equal(model.ContentHash, embedded.Model.ContentHash);

        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void Acquire_InADisposeScope_OutlivesIt()
    {
        using var folder = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName));
        SharedWeights share;
        using (NewDisposeScope()) share = SharedWeights.Acquire(model, CPU);

        Assert.All(share.Tensors.Values, tensor => Assert.False(tensor.IsInvalid));
        share.Dispose();
    }

    [Fact]
    public async Task Acquire_WhileAnotherModelLoads_DoesNotWait_NorDoesARelease()
    {
        using var slowFolder = new TemporaryFolder();
        using var folder = new TemporaryFolder();
        using var slow = new SlowLoad(TinyCheckpoint.Write(slowFolder.FullName));
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName, seed: 2));
        var held = SharedWeights.Acquire(model, CPU);

        var loading = Task.Run(() => SharedWeights.Acquire(slow.Model, CPU), TestContext.Current.CancellationToken);
        Assert.True(slow.Started.Wait(Patience, TestContext.Current.CancellationToken));
        try
        {
            await Task.Run(() =>
            {
                held.Dispose();
                SharedWeights.Acquire(model, CPU).Dispose();
            }, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        }
        finally
        {
            slow.GoOn.Set();
        }
        (await loading).Dispose();
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public async Task Acquire_OfOneModelTwiceAtOnce_LoadsItOnce()
    {
        using var folder = new TemporaryFolder();
        using var slow = new SlowLoad(TinyCheckpoint.Write(folder.FullName));
        var first = Task.Run(() => SharedWeights.Acquire(slow.Model, CPU), TestContext.Current.CancellationToken);
        Assert.True(slow.Started.Wait(Patience, TestContext.Current.CancellationToken));
        var second = Task.Run(() => SharedWeights.Acquire(slow.Model, CPU), TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(second.IsCompleted);
        slow.GoOn.Set();

        using var one = await first;
        using var two = await second;

        Assert.Same(one.Tensors, two.Tensors);
        Assert.Equal(1, slow.Loads);
    }

    [Fact]
    public void Acquire_OfAFolderThatChanged_RefusesAndHoldsNothing_UntilItIsBack()
    {
        using var folder = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName));
        _ = model.ContentHash;
        var before = LiveTensors.Settled();
        File.Move(folder.File("model.safetensors"), folder.File("kept"));
        using (var other = new TemporaryFolder())
            File.Copy(Path.Combine(TinyCheckpoint.Write(other.FullName, seed: 2), "model.safetensors"), folder.File("model.safetensors"));
        var parametersMade = LiveTensors.Settled() - before;

        var error = Assert.Throws<InvalidDataException>(() => SharedWeights.Acquire(model, CPU));

        Assert.StartsWith($"{folder.FullName}: the checkpoint has changed since it was first read", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.Equal(before + parametersMade, LiveTensors.Now);
        File.Move(folder.File("kept"), folder.File("model.safetensors"), overwrite: true);
        SharedWeights.Acquire(model, CPU).Dispose();
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public void Acquire_WithoutDispose_IsFreedByTheGarbageCollector()
    {
        using var folder = new TemporaryFolder();
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName));
        var before = LiveTensors.Settled();

        Forget();
        var after = LiveTensors.Settled();

        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.Equal(before, after);
        using var again = SharedWeights.Acquire(model, CPU);
        Assert.Equal(1, SharedWeights.HeldCount);

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Forget() => Assert.Equal(261, SharedWeights.Acquire(model, CPU).Tensors["roberta.embeddings.word_embeddings.weight"].shape[0]);
    }

    /// <summary>A checkpoint whose loading, once its hash is known, stops at the start until it may go on.</summary>
    private sealed class SlowLoad : IDisposable
    {
        private readonly bool _isReady;

        public SlowLoad(string folder)
        {
            var whole = PretrainedModel.FromFolder(folder);
            Model = new PretrainedModel("slow", whole.Config, whole.Tokenizer, whole.Card, () => Open(folder, whole.Config));
            _ = Model.ContentHash;
            _isReady = true;
        }

        public PretrainedModel Model { get; }
        public ManualResetEventSlim Started { get; } = new();
        public ManualResetEventSlim GoOn { get; } = new();
        public int Loads;

        public void Dispose()
        {
            Started.Dispose();
            GoOn.Dispose();
        }

        private CheckpointWeights Open(string folder, EncoderConfig config)
        {
            if (_isReady)
            {
                Interlocked.Increment(ref Loads);
                Started.Set();
                Assert.True(GoOn.Wait(Patience));
            }
            return new CheckpointWeights(Checkpoint.Open(folder), config);
        }
    }
}

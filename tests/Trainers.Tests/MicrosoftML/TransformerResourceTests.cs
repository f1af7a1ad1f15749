namespace MLNetLoRA.Trainers.Tests;

public class TransformerResourceTests
{
    private sealed class Resource : IDisposable
    {
        public int Disposals;
        public void Dispose() => Interlocked.Increment(ref Disposals);
    }

    [Fact]
    public void Dispose_WhileSomebodyBorrows_LeavesTheResourceToThem()
    {
        var resource = new Resource();
        var owner = new TransformerResource<Resource>("SomeTransformer", "model", resource);
        var borrowed = owner.Acquire();
        owner.Dispose();
        owner.Dispose();

        Assert.Equal(0, resource.Disposals);
        Assert.Same(resource, borrowed.Resource);
        borrowed.Dispose();
        Assert.Equal(1, resource.Disposals);
    }

    [Fact]
    public void Acquire_AfterDispose_SaysHowToKeepTheModelAlthoughSomebodyStillBorrows()
    {
        var owner = new TransformerResource<Resource>("SomeTransformer", "model", new Resource());
        using var borrowed = owner.Acquire();
        owner.Dispose();

        var exception = Assert.Throws<ObjectDisposedException>(owner.Acquire);
        Assert.Equal("SomeTransformer", exception.ObjectName);
        Assert.Contains("The model was disposed", exception.Message, StringComparison.Ordinal);
        Assert.Contains("OwnsTransformer = false", exception.Message, StringComparison.Ordinal);
    }
}

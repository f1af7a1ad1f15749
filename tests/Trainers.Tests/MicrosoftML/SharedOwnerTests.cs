namespace MLNetLoRA.Trainers.Tests;

public class SharedOwnerTests
{
    private sealed class Resource : IDisposable
    {
        public int Disposals;
        public void Dispose() => Interlocked.Increment(ref Disposals);
    }

    [Fact]
    public void Share_LastOfThreeDisposed_DisposesTheResourceOnce()
    {
        var resource = new Resource();
        var owner = new SharedOwner<Resource>(resource);
        var shares = Enumerable.Range(0, 3).Select(_ => owner.Acquire()).ToArray();
        shares[0].Dispose();
        shares[0].Dispose();
        shares[2].Dispose();
        Assert.Equal(0, resource.Disposals);
        Assert.Same(resource, shares[1].Resource);
        Assert.Throws<ObjectDisposedException>(() => shares[0].Resource);
        shares[1].Dispose();
        Assert.Equal(1, resource.Disposals);
        Assert.Throws<ObjectDisposedException>(owner.Acquire);
        Assert.Null(owner.TryAcquire());
    }

    [Fact]
    public void TryAcquire_WhileAShareLives_IsAShareLikeAnother()
    {
        var resource = new Resource();
        var owner = new SharedOwner<Resource>(resource);
        var first = owner.Acquire();
        var second = owner.TryAcquire();
        first.Dispose();

        Assert.Same(resource, second!.Resource);
        second.Dispose();
        Assert.Equal(1, resource.Disposals);
    }

    [Fact]
    public async Task Acquire_WhileOthersRelease_NeverGivesADeadResource()
    {
        for (var round = 0; round < 200; round++)
        {
            var resource = new Resource();
            var owner = new SharedOwner<Resource>(resource);
            var first = owner.Acquire();
            var workers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                try
                {
                    using var share = owner.Acquire();
                    Assert.Equal(0, share.Resource.Disposals);
                }
                catch (ObjectDisposedException) { }
            })).ToArray();
            first.Dispose();
            await Task.WhenAll(workers);
            Assert.Equal(1, resource.Disposals);
        }
    }
}

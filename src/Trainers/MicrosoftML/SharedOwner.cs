namespace MLNetLoRA.Trainers;

/// <summary>Something disposable with several owners: the last share to be disposed disposes it.</summary>
/// <remarks>
/// Nobody owns it until the first <see cref="Acquire"/>, which its maker calls at once. Thread-safe: of a share being disposed and
/// another being acquired at the same moment, either the acquirer gets a living resource or an exception, never a dying one. The
/// resource is disposed on the thread that disposes the last share, which may be the finalizer's (see <see cref="TextScoringRow"/>).
/// </remarks>
internal sealed class SharedOwner<T>(T resource) where T : class, IDisposable
{
    private readonly Lock _gate = new();
    private int _shares;
    private bool _gone;

    /// <exception cref="ObjectDisposedException">All shares were disposed, and the resource with the last of them.</exception>
    public Share Acquire()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_gone, resource);
            _shares++;
            return new Share(this);
        }
    }

    /// <summary>A share, or null when all were disposed and the resource with the last of them.</summary>
    public Share? TryAcquire()
    {
        lock (_gate)
        {
            if (_gone) return null;
            _shares++;
            return new Share(this);
        }
    }

    private void Release()
    {
        lock (_gate)
        {
            if (--_shares > 0) return;
            _gone = true;
        }
        resource.Dispose();
    }

    /// <summary>One owner's part; disposing it twice counts once.</summary>
    internal sealed class Share(SharedOwner<T> owner) : IDisposable
    {
        private SharedOwner<T>? _owner = owner;
        private readonly T _resource = owner.Resource;

        /// <exception cref="ObjectDisposedException">This share was disposed.</exception>
        public T Resource
        {
            get
            {
                ObjectDisposedException.ThrowIf(_owner is null, _resource);
                return _resource;
            }
        }

        public void Dispose() => Interlocked.Exchange(ref _owner, null)?.Release();
    }

    private T Resource => resource;
}

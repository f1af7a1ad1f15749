using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A share in the frozen float32 weights of one checkpoint on one device.</summary>
/// <remarks>
/// Everything in the process that reads the same checkpoint on the same device shares one copy, found by content hash: five folds of a
/// cross-validation hold one base. The tensors are freed when the last share is disposed; where a share was forgotten, by the garbage
/// collector. Thread-safe.
/// </remarks>
public sealed class SharedWeights : IDisposable
{
    // Guards the dictionary and the counts, for moments only: a finalizer that gives a share back may wait for it, and torch, short of
    // memory, waits for finalizers. Nothing is read, allocated by torch or freed under it.
    private static readonly Lock Gate = new();

    // Weak, so that the copy of a forgotten share does not live as long as the process.
    private static readonly Dictionary<(string ContentHash, string Device), WeakReference<Copy>> Known = [];

    private Copy? _copy;
    private IDisposable? _modelHold;

    private SharedWeights(Copy copy) => _copy = copy;

    /// <summary>Parameters by checkpoint key, float32, never written to; valid until this share is disposed.</summary>
    /// <exception cref="ObjectDisposedException">This share was disposed.</exception>
    public IReadOnlyDictionary<string, Tensor> Tensors => Held.Tensors;

    /// <summary>How many checkpoints are held right now, counted once per device.</summary>
    internal static int HeldCount
    {
        get { lock (Gate) return Known.Values.Count(known => known.TryGetTarget(out _)); }
    }

    /// <summary>A share of <paramref name="model"/>'s weights on <paramref name="device"/>, loading them when nobody holds them yet.</summary>
    /// <remarks>Of several callers at once, one loads and the others wait for it; other models do not wait.</remarks>
    /// <exception cref="InvalidDataException">The checkpoint cannot be read, has changed since it was first read, or a weight is not a number.</exception>
    /// <exception cref="ObjectDisposedException">The model came out of a model file and nothing that used its weights is left.</exception>
    public static SharedWeights Acquire(PretrainedModel model, Device device)
    {
        // A fit holds a share from beginning to end, and its outcome will want the model's own weights: they may not go in between.
        var hold = model.HoldWeights();
        try
        {
            var share = AcquireCopy(model, device);
            share._modelHold = hold;
            return share;
        }
        catch
        {
            hold?.Dispose();
            throw;
        }
    }

    /// <summary>A share that does not keep the model's own weights: for those weights themselves, which would never go.</summary>
    internal static SharedWeights AcquireCopy(PretrainedModel model, Device device)
    {
        var share = Register((model.ContentHash, device.ToString()));
        try
        {
            share.Held.EnsureLoaded(model, device);
            return share;
        }
        catch
        {
            share.Dispose();
            throw;
        }
    }

    /// <summary>Another share of the same copy.</summary>
    /// <exception cref="ObjectDisposedException">This share was disposed.</exception>
    internal SharedWeights Again()
    {
        lock (Gate) return Register(Held);
    }

    /// <summary>Gives this share back.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _copy, null) is not { } copy) return;
        _modelHold?.Dispose();
        Release(copy);
    }

    private static void Release(Copy copy)
    {
        lock (Gate)
        {
            if (--copy.ShareCount > 0) return;
            // Where this copy was forgotten for a while, its place may be another's by now.
            if (Known.TryGetValue(copy.Key, out var known) && (!known.TryGetTarget(out var current) || current == copy)) Known.Remove(copy.Key);
        }
        copy.Free();
    }

    private Copy Held
    {
        get
        {
            var copy = _copy;
            ObjectDisposedException.ThrowIf(copy is null, this);
            return copy;
        }
    }

    private static SharedWeights Register((string, string) key)
    {
        lock (Gate)
        {
            if (Known.TryGetValue(key, out var known) && known.TryGetTarget(out var copy)) return Register(copy);
            copy = new Copy(key);
            Known[key] = new WeakReference<Copy>(copy);
            return Register(copy);
        }
    }

    private static SharedWeights Register(Copy copy)
    {
        copy.ShareCount++;
        return new SharedWeights(copy);
    }

    /// <summary>The one copy; its shares refer to it.</summary>
    private sealed class Copy((string ContentHash, string Device) key)
    {
        private readonly Lock _loading = new();
        private Dictionary<string, Tensor>? _tensors;

        public (string ContentHash, string Device) Key => key;

        /// <summary>Guarded by <see cref="Gate"/>.</summary>
        public int ShareCount { get; set; }

        public Dictionary<string, Tensor> Tensors => _tensors!;

        /// <summary>Loads on the first call; after a failure the next caller tries anew, with the model that it has.</summary>
        public void EnsureLoaded(PretrainedModel model, Device device)
        {
            lock (_loading)
            {
                if (_tensors is not null) return;
                var tensors = model.ReadWeights(stored => stored.to(float32, device));
                foreach (var tensor in tensors.Values) tensor.DetachFromDisposeScope();
                _tensors = tensors;
            }
        }

        public void Free()
        {
            foreach (var tensor in _tensors?.Values.AsEnumerable() ?? []) tensor.Dispose();
        }
    }
}

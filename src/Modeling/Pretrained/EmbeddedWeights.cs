using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Pretrained weights that came out of a model file, with several owners: whatever was loaded with them or fitted from them.</summary>
/// <remarks>
/// Freed with the last owner. Thread-safe; finalizers may release. Under the lock nothing is loaded, freed or waited for: fields are swapped
/// there, and what they held is disposed outside.
/// </remarks>
/// <param name="name">What messages call the model.</param>
/// <param name="stored">As stored, on the CPU, finite; taken over with the first <see cref="Own"/>.</param>
internal sealed class EmbeddedWeights(string name, Dictionary<string, Tensor> stored)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ScalarType> _storedTypes = stored.ToDictionary(weight => weight.Key, weight => weight.Value.dtype);
    private Dictionary<string, Tensor> _stored = stored;
    private SharedWeights? _share;
    private int _ownerCount;
    private bool _isFreed;

    /// <summary>One owner more, until it is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The last owner is gone.</exception>
    public IDisposable Own()
    {
        lock (_gate)
        {
            ThrowIfFreed();
            _ownerCount++;
            return new Owner(this);
        }
    }

    /// <summary>A view that stays valid until it is disposed, whatever happens to the owners.</summary>
    /// <exception cref="ObjectDisposedException">The last owner is gone.</exception>
    public RetainedWeights Open()
    {
        lock (_gate)
        {
            ThrowIfFreed();
            if (_share is not null)
            {
                var share = _share.Again();
                return new RetainedWeights(share.Tensors, _storedTypes, share);
            }
            var handles = new Handles(_stored);
            return new RetainedWeights(handles.Tensors, _storedTypes, handles);
        }
    }

    /// <summary>Keeps one copy instead of two while a network on <paramref name="device"/> uses these weights all the time.</summary>
    /// <param name="model">The model of these weights.</param>
    /// <param name="device">Where the network runs.</param>
    public void ShareOn(PretrainedModel model, Device device)
    {
        // The stored form must come out of the shared float32 unchanged.
        if (!_storedTypes.Values.All(type => type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16)) return;
        var share = SharedWeights.AcquireCopy(model, device);
        SharedWeights? replaced = share;
        Dictionary<string, Tensor> replacedStored = [];
        lock (_gate)
        {
            if (!_isFreed)
            {
                (replaced, _share) = (_share, share);
                (replacedStored, _stored) = (_stored, []);
            }
        }
        Free(replacedStored, replaced);
    }

    private void Release()
    {
        SharedWeights? share;
        Dictionary<string, Tensor> tensors;
        lock (_gate)
        {
            if (--_ownerCount > 0) return;
            _isFreed = true;
            (share, _share) = (_share, null);
            (tensors, _stored) = (_stored, []);
        }
        Free(tensors, share);
    }

    private static void Free(Dictionary<string, Tensor> tensors, SharedWeights? share)
    {
        foreach (var tensor in tensors.Values) tensor.Dispose();
        share?.Dispose();
    }

    private void ThrowIfFreed()
    {
        if (_isFreed)
            throw new ObjectDisposedException(
                nameof(PretrainedModel),
                $"{name}: these weights came with a model file and were freed with the last model that used them. "
                + "Dispose that model later, or load the file again.");
    }

    private sealed class Owner(EmbeddedWeights weights) : IDisposable
    {
        private EmbeddedWeights? _weights = weights;

        public void Dispose() => Interlocked.Exchange(ref _weights, null)?.Release();
    }

    /// <summary>Handles of a view's own on the same memory.</summary>
    private sealed class Handles(Dictionary<string, Tensor> stored) : IDisposable
    {
        public Dictionary<string, Tensor> Tensors { get; } = stored.ToDictionary(weight => weight.Key, weight => weight.Value.alias());

        public void Dispose()
        {
            foreach (var tensor in Tensors.Values) tensor.Dispose();
        }
    }
}

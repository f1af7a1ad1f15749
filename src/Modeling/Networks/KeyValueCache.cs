using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Keys and values of the tokens that a decoder has read, so that each further token costs one pass over itself alone.</summary>
/// <remarks>Memory is taken at once: 2 · layers · rows · capacity · key heads · head numbers. The caller disposes it; one thread at a time.</remarks>
public sealed class KeyValueCache : IDisposable
{
    private const int TokenDimension = 2;       // of (rows, key heads, tokens, head)

    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;
    private readonly Tensor _segments;

    /// <summary>An empty cache.</summary>
    /// <param name="config">The decoder's sizes.</param>
    /// <param name="rowCount">Rows of every batch that is read with it, 1 or more.</param>
    /// <param name="capacity">How many tokens a row may have in all, padding included, 1 or more.</param>
    /// <param name="device">Where the decoder runs.</param>
    /// <param name="dataType">What the decoder computes in.</param>
    public KeyValueCache(DecoderConfig config, int rowCount, int capacity, Device device, ScalarType dataType)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        (RowCount, Capacity) = (rowCount, capacity);
        _keys = [.. Enumerable.Range(0, config.LayerCount).Select(_ => Room())];
        _values = [.. Enumerable.Range(0, config.LayerCount).Select(_ => Room())];
        _segments = empty([rowCount, capacity], dtype: int64, device: device).DetachFromDisposeScope();

        Tensor Room() => empty([rowCount, config.KeyValueHeadCount, capacity, config.HeadSize], dtype: dataType, device: device).DetachFromDisposeScope();
    }

    /// <summary>Rows of every batch.</summary>
    public int RowCount { get; }

    /// <summary>How many tokens a row may have.</summary>
    public int Capacity { get; }

    /// <summary>How many tokens of each row it holds.</summary>
    public int Length { get; private set; }

    /// <summary>Makes sure that a batch fits; nothing has changed when it does not.</summary>
    /// <exception cref="InvalidOperationException">It has other rows, or more tokens than there is room for.</exception>
    internal void Expect(CausalBatch batch)
    {
        if (batch.RowCount != RowCount)
            throw new InvalidOperationException($"The cache holds {RowCount} rows, the batch has {batch.RowCount}; make a cache for as many rows.");
        if (Length + batch.TokenCount > Capacity)
            throw new InvalidOperationException(
                $"The cache holds {Length} of at most {Capacity} tokens a row, and {batch.TokenCount} more were to be read; make a larger cache, or read fewer tokens.");
    }

    /// <summary>Segments of the tokens held and of those to be read now, (rows, keys): a view.</summary>
    internal Tensor SegmentsWith(Tensor segments) => Append(_segments, 1, segments);

    /// <summary>Keys and values of a layer, with those to be read now, (rows, key heads, keys, head): views.</summary>
    internal (Tensor Keys, Tensor Values) With(int layer, Tensor keys, Tensor values) =>
        (Append(_keys[layer], TokenDimension, keys), Append(_values[layer], TokenDimension, values));

    /// <summary>Counts what was read once all layers have it.</summary>
    internal void Advance(long tokenCount) => Length += (int)tokenCount;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values)) tensor.Dispose();
        _segments.Dispose();
    }

    private Tensor Append(Tensor room, int dimension, Tensor news)
    {
        using var _ = no_grad();
        var count = news.shape[dimension];
        using var place = room.narrow(dimension, Length, count);
        place.copy_(news);
        return room.narrow(dimension, 0, Length + count);
    }
}

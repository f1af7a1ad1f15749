using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What all layers of a decoder share while it reads one batch.</summary>
/// <param name="Cosines">Of the tokens' angles, (batch, 1, tokens, head).</param>
/// <param name="Sines">The same of sines.</param>
/// <param name="Attended">True where a token sees a key, (batch, 1, tokens, keys).</param>
/// <param name="Cache">What was read before; null for nothing, and nothing is kept.</param>
internal sealed record DecoderPass(Tensor Cosines, Tensor Sines, Tensor Attended, KeyValueCache? Cache)
{
    /// <summary>Prepares a batch; the tensors belong to the caller's dispose scope.</summary>
    public static DecoderPass Of(CausalBatch batch, RotaryEmbedding rotary, int? window, ScalarType dataType, KeyValueCache? cache)
    {
        cache?.Expect(batch);
        var (cosines, sines) = rotary.At(batch.Positions, dataType);
        return new DecoderPass(cosines, sines, Visible(batch, window, cache), cache);
    }

    // A token sees those of its own segment that stand before it, itself included; with a window, the last few of them. Padding, a segment of its
    // own, sees padding: no row of the mask is empty, which would make attention divide by zero.
    private static Tensor Visible(CausalBatch batch, int? window, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var device = batch.InputIds.device;
        var before = cache?.Length ?? 0;
        var keySegments = cache is null ? batch.Segments : cache.SegmentsWith(batch.Segments);
        var queries = arange(before, before + batch.TokenCount, dtype: int64, device: device).unsqueeze(1);
        var distance = queries - arange(0, before + batch.TokenCount, dtype: int64, device: device);      // (tokens, keys)
        var near = distance.ge(0);
        if (window is { } width) near &= distance.lt(width);
        var same = batch.Segments.unsqueeze(2).eq(keySegments.unsqueeze(1));                              // (batch, tokens, keys)
        return same.logical_and(near).unsqueeze(1).MoveToOuterDisposeScope();
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The memory of a tensor, a stretch at a time: a span ends at 2 GB, a tensor does not.</summary>
internal static class TensorBytes
{
    /// <summary>Bytes per stretch; a multiple of every element size.</summary>
    internal const int StretchBytes = 1 << 26;

    /// <summary>Hands the bytes of a contiguous CPU tensor to <paramref name="visit"/>, in order. Writing to them writes to the tensor.</summary>
    public static void ForEachStretch(Tensor tensor, Action<Span<byte>> visit)
    {
        using var scope = NewDisposeScope();
        var flat = tensor.detach().view(-1);
        var stretch = StretchBytes / flat.ElementSize;
        var count = flat.NumberOfElements;
        for (long start = 0; start < count; start += stretch)
        {
            using var part = flat.narrow(0, start, Math.Min(stretch, count - start));
            visit(part.bytes);
        }
    }
}

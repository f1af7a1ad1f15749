using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>The second moment E[x xᵀ] of vectors that come in batches: what a linear map was given to read.</summary>
/// <remarks>
/// Accumulated in float64, in size² · 8 bytes however many vectors come. Owns its sum; <see cref="Add"/> is for one thread at a time.
/// </remarks>
public sealed class SecondMoment : IDisposable
{
    private readonly Tensor _sum;

    /// <summary>The moment of no vectors yet.</summary>
    /// <param name="size">The vectors' length, 1 or more.</param>
    /// <param name="device">Where the sum is kept; vectors are expected there.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="size"/> is below 1.</exception>
    public SecondMoment(int size, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentNullException.ThrowIfNull(device);
        Size = size;
        _sum = zeros([size, size], dtype: ScalarType.Float64, device: device).DetachFromDisposeScope();
    }

    /// <summary>The vectors' length.</summary>
    public int Size { get; }

    /// <summary>How many vectors have come.</summary>
    public long Count { get; private set; }

    /// <summary>Adds some vectors.</summary>
    /// <param name="vectors">(n, size), of any floating-point type.</param>
    /// <exception cref="ArgumentException">The vectors have another length.</exception>
    public void Add(Tensor vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        if (vectors.shape is not [var count, var size] || size != Size)
            throw new ArgumentException($"Vectors of ({string.Join(", ", vectors.shape)}); (n, {Size}) was wanted.", nameof(vectors));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var wide = vectors.detach().to(ScalarType.Float64);
        _sum.addmm_(wide.t(), wide);
        Count += count;
    }

    /// <summary>The mean of x xᵀ (size, size) in float64; zeros before the first vector. The caller disposes it.</summary>
    public Tensor ToMatrix()
    {
        using var _ = no_grad();
        return _sum.div(Math.Max(1, Count));
    }

    /// <summary>Frees the sum.</summary>
    public void Dispose() => _sum.Dispose();
}

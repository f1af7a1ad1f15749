using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Dropout whose masks are keyed by one generator, so that a fit repeats and torch's global generators stay untouched.</summary>
/// <remarks>
/// Each mask is a hash of the position under a key that the generator gives: TorchSharp makes generators for the CPU only, and a hash is
/// computed where the activations are. The same key gives the same mask on every device. Source: Srivastava et al. 2014 (inverted form:
/// kept values are divided by the chance to be kept); the hash is SplitMix64's (Steele, Lea and Flood 2014). One thread at a time.
/// </remarks>
/// <param name="generator">A CPU generator; one draw a mask. The caller keeps ownership.</param>
public sealed class RandomDropout(Generator generator)
{
    private const int HashBits = 24;

    /// <summary>x with each element zeroed with chance <paramref name="probability"/> and the others scaled up.</summary>
    /// <param name="x">Any shape, any device.</param>
    /// <param name="probability">Share in [0, 1); 0 returns <paramref name="x"/> itself.</param>
    public Tensor Apply(Tensor x, double probability)
    {
        if (probability == 0) return x;
        using var mask = Mask(x, probability);
        return x * mask;
    }

    private Tensor Mask(Tensor x, double probability)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var key = randint(long.MaxValue, [1], dtype: int64, device: CPU, generator: generator).item<long>();
        var dropBelow = (long)Math.Round(probability * (1 << HashBits));
        var kept = Hash(x.numel(), key, x.device).ge_(dropBelow);
        return kept.to(x.dtype).div_(1 - probability).view(x.shape).MoveToOuterDisposeScope();
    }

    // Uniform in 0 to 2^24 - 1. Multiplication wraps; a right shift of int64 drags the sign along, so each is followed by a mask.
    private static Tensor Hash(long count, long key, Device device)
    {
        var z = arange(1, count + 1, dtype: int64, device: device);
        z.mul_(unchecked((long)0x9E3779B97F4A7C15)).add_(key);
        Fold(z, 30).mul_(unchecked((long)0xBF58476D1CE4E5B9));
        Fold(z, 27).mul_(unchecked((long)0x94D049BB133111EB));
        Fold(z, 31);
        return ShiftRight(z, 64 - HashBits);
    }

    // z ^= z >>> bits
    private static Tensor Fold(Tensor z, int bits)
    {
        using var shifted = ShiftRight(z, bits);
        return z.bitwise_xor_(shifted);
    }

    private static Tensor ShiftRight(Tensor z, int bits)
    {
        using var by = tensor(bits, dtype: int64, device: z.device);
        using var unsigned = tensor((1L << (64 - bits)) - 1, dtype: int64, device: z.device);
        return z.bitwise_right_shift(by).bitwise_and_(unsigned);
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A low-rank change of one matrix: ΔW = Scale · B A.</summary>
/// <remarks>Whoever owns the tensors disposes them, by disposing this or one by one.</remarks>
/// <param name="A">(rank, in).</param>
/// <param name="B">(out, rank).</param>
/// <param name="Scale">alpha / rank; finite.</param>
public sealed record LoraFactors(Tensor A, Tensor B, double Scale) : IDisposable
{
    /// <summary>The inner dimension.</summary>
    public int Rank => (int)A.shape[0];

    /// <summary>The options under which a network multiplies these factors by <see cref="Scale"/>.</summary>
    internal LoraOptions Options => new() { Rank = Rank, Alpha = Scale * Rank };

    /// <summary>Handles of their own on the same memory, moved when the device is another; the caller owns both tensors.</summary>
    internal LoraFactors Shared(Device device) => new(Share(A, device), Share(B, device), Scale);

    /// <summary>This change and another of the same matrix as one: A = [A₁; A₂], B = [B₁, (Scale₂ / Scale₁) B₂], of this one's scale.</summary>
    /// <returns>New tensors, of rank "sum of both"; the caller owns them.</returns>
    internal LoraFactors Plus(LoraFactors other)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        // What is multiplied by zero is no part of the sum.
        var (first, second) = Scale == 0 ? (other, this) : (this, other);
        var ratio = first.Scale == 0 ? 1 : second.Scale / first.Scale;
        var up = ratio == 1 ? second.B : second.B.mul(ratio);
        return new LoraFactors(
            cat([first.A, second.A], 0).DetachFromDisposeScope(), cat([first.B, up], 1).DetachFromDisposeScope(), first.Scale);
    }

    /// <summary>W + Scale · B A, in the type of W (out, in); the caller owns it.</summary>
    internal Tensor AddTo(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var change = B.to(weight.dtype).matmul(A.to(weight.dtype));
        return weight.add(change, alpha: Scale).MoveToOuterDisposeScope();
    }

    /// <summary>Disposes both tensors.</summary>
    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
    }

    private static Tensor Share(Tensor tensor, Device device)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        // On the same device, "to" answers with the tensor itself.
        return tensor.detach().to(device).alias().DetachFromDisposeScope();
    }
}

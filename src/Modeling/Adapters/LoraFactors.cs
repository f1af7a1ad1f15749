using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A low-rank change of one matrix: ΔW = Scale · B A.</summary>
/// <param name="A">(rank, in).</param>
/// <param name="B">(out, rank).</param>
/// <param name="Scale">alpha / rank; finite.</param>
public sealed record LoraFactors(Tensor A, Tensor B, double Scale)
{
    /// <summary>The inner dimension.</summary>
    public int Rank => (int)A.shape[0];

    /// <summary>The options under which a network multiplies these factors by <see cref="Scale"/>.</summary>
    internal LoraOptions Options => new() { Rank = Rank, Alpha = Scale * Rank };
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Scaled dot-product attention: every query gets the mean of the values, weighted by how well their keys answer it.</summary>
/// <remarks>Source: arXiv 1706.03762, section 3.2.1.</remarks>
internal static class Attention
{
    /// <summary>(…, queries, head) from queries (…, queries, head), keys and values (…, keys, head).</summary>
    /// <param name="query">What asks.</param>
    /// <param name="key">What answers.</param>
    /// <param name="value">What is mixed.</param>
    /// <param name="attended">True where a query may look at a key, broadcast to (…, queries, keys); every query looks at one at least.</param>
    /// <param name="dropout">Share of the weights dropped, in [0, 1).</param>
    /// <param name="masks">Makes the masks; null in a network that only scores.</param>
    public static Tensor Mix(Tensor query, Tensor key, Tensor value, Tensor attended, double dropout, RandomDropout? masks)
    {
        // The fused kernel draws its dropout from torch's global generator, so with dropout the formula is spelled out.
        if (dropout == 0 || masks is null) return nn.functional.scaled_dot_product_attention(query, key, value, attended, 0, false);
        var scores = query.matmul(key.transpose(-1, -2)).div_(Math.Sqrt(query.shape[^1]));        // (…, queries, keys)
        var weights = scores.masked_fill(attended.logical_not(), double.NegativeInfinity).softmax(-1);
        return masks.Apply(weights, dropout).matmul(value);
    }
}

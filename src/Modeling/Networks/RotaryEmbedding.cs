using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Tells attention where tokens stand: queries and keys are turned by angles that grow with their position.</summary>
/// <remarks>
/// Coordinates i and i + head / 2 form a pair, turned by position · θ^(-2i / head): the layout of Hugging Face's checkpoints, which differs from
/// the paper's by a permutation. Source: arXiv 2104.09864.
/// </remarks>
internal sealed class RotaryEmbedding
{
    private readonly double[] _frequencies;

    public RotaryEmbedding(DecoderConfig config)
    {
        var plain = Enumerable.Range(0, config.HeadSize / 2).Select(pair => Math.Pow(config.RotaryBase, -2.0 * pair / config.HeadSize));
        _frequencies = [.. config.RotaryScaling is { } scaling ? plain.Select(scaling.Stretch) : plain];
    }

    /// <summary>Cosines and sines of the angles at some positions, each (batch, 1, tokens, head); the caller owns both.</summary>
    /// <param name="positions">(batch, tokens), int64.</param>
    /// <param name="dataType">What they are cast to. Angles are float64: float32 would blur them at the end of a long context.</param>
    public (Tensor Cosines, Tensor Sines) At(Tensor positions, ScalarType dataType)
    {
        using var scope = NewDisposeScope();
        var frequencies = tensor(_frequencies, dtype: float64, device: positions.device);
        var half = positions.to(float64).unsqueeze(-1) * frequencies;                     // (batch, tokens, head / 2)
        var angles = cat([half, half], dim: -1).unsqueeze(1);
        return (angles.cos().to(dataType).MoveToOuterDisposeScope(), angles.sin().to(dataType).MoveToOuterDisposeScope());
    }

    /// <summary>x turned, (batch, heads, tokens, head).</summary>
    public static Tensor Turn(Tensor x, Tensor cosines, Tensor sines)
    {
        using var scope = NewDisposeScope();
        var halves = x.chunk(2, dim: -1);
        var across = cat([-halves[1], halves[0]], dim: -1);
        return (x * cosines + across * sines).MoveToOuterDisposeScope();
    }
}

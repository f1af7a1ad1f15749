using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Divides every vector by the root of its mean square, and scales it with learned factors.</summary>
/// <remarks>Shapes: x and y (…, width). Computed in float32 or wider, whatever x is. Source: arXiv 1910.07467.</remarks>
public sealed class RootMeanSquareNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter _weight;
    private readonly double _epsilon;

    /// <summary>Takes "weight" from <paramref name="source"/>.</summary>
    public RootMeanSquareNorm(ParameterSource source, int width, double epsilon) : base(nameof(RootMeanSquareNorm))
    {
        _weight = source.Take("weight", [width], Initialization.Ones);
        _epsilon = epsilon;
        register_parameter("weight", _weight);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var wide = x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? x.to(float32) : x;
        var size = wide.pow(2).mean([-1], keepdim: true).add(_epsilon).rsqrt();      // (…, 1)
        return (wide * size).to(x.dtype).mul(_weight).MoveToOuterDisposeScope();
    }
}

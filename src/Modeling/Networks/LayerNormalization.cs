using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Layer normalisation over the last dimension, with a learned scale and shift.</summary>
/// <remarks>Shapes: x and y (…, width). Source: arXiv 1607.06450.</remarks>
public sealed class LayerNormalization : nn.Module<Tensor, Tensor>
{
    private readonly Parameter _weight;
    private readonly Parameter _bias;
    private readonly double _epsilon;

    /// <summary>Takes "weight" and "bias" from <paramref name="source"/>.</summary>
    public LayerNormalization(ParameterSource source, int width, double epsilon) : base(nameof(LayerNormalization))
    {
        _weight = source.Take("weight", [width], Initialization.Ones);
        _bias = source.Take("bias", [width], Initialization.Zeros);
        _epsilon = epsilon;
        register_parameter("weight", _weight);
        register_parameter("bias", _bias);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor x) => nn.functional.layer_norm(x, _weight.shape, _weight, _bias, _epsilon);
}

using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A plain linear map: y = x Wᵀ + b.</summary>
/// <remarks>
/// Shapes: x (…, in), W (out, in), b (out), y (…, out). Unlike torch.nn.Linear it is built from given parameters: nothing is drawn from
/// torch's global generator and nothing is allocated only to be overwritten.
/// </remarks>
public sealed class LinearProjection : nn.Module<Tensor, Tensor>
{
    private readonly Parameter _weight;
    private readonly Parameter? _bias;

    /// <summary>Takes "weight" and, with <paramref name="hasBias"/>, "bias" from <paramref name="source"/>.</summary>
    public LinearProjection(ParameterSource source, int inputs, int outputs, Initialization initialization, bool hasBias = true)
        : base(nameof(LinearProjection))
    {
        _weight = source.Take("weight", [outputs, inputs], initialization);
        register_parameter("weight", _weight);
        if (!hasBias) return;
        _bias = source.Take("bias", [outputs], Initialization.Zeros);
        register_parameter("bias", _bias);
    }

    /// <summary>The matrix W, (out, in); owned by this module.</summary>
    public Parameter Weight => _weight;

    /// <inheritdoc/>
    public override Tensor forward(Tensor x) => nn.functional.linear(x, _weight, _bias);
}

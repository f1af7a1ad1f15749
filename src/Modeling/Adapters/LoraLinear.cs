using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A frozen projection plus a trainable low-rank correction: y = Wx + b + (alpha / rank) B A x.</summary>
/// <remarks>
/// Shapes: x (…, in), A (rank, in), B (out, rank), y (…, out). B starts at zero: a new adapter changes nothing. Registered names follow
/// PEFT ("base_layer", "lora_A", "lora_B"), so an adapter key needs only PEFT's prefix. Source: arXiv 2106.09685, section 4.1.
/// </remarks>
public sealed class LoraLinear : nn.Module<Tensor, Tensor>
{
    private readonly LinearProjection _base;
    private readonly LinearProjection _down;
    private readonly LinearProjection _up;
    private readonly double _scaling;
    private readonly double _dropoutProbability;
    private readonly RandomDropout? _dropout;

    /// <summary>Fills <paramref name="slot"/> from <paramref name="source"/>, which stands at the slot.</summary>
    /// <param name="slot">The slot to fill.</param>
    /// <param name="source">Holds "weight" and "bias" of the frozen map, and "lora_A.weight", "lora_B.weight" once trained.</param>
    /// <param name="options">Rank, alpha and dropout.</param>
    /// <param name="dropout">Masks for training; null in a network that only scores.</param>
    public LoraLinear(ProjectionSlot slot, ParameterSource source, LoraOptions options, RandomDropout? dropout) : base(nameof(LoraLinear))
    {
        _base = new LinearProjection(source, slot.Inputs, slot.Outputs, slot.Initialization, slot.HasBias);
        _down = new LinearProjection(source.Under("lora_A"), slot.Inputs, options.Rank, BeginningOfA(options), hasBias: false);
        _up = new LinearProjection(source.Under("lora_B"), options.Rank, slot.Outputs, Initialization.Zeros, hasBias: false);
        _scaling = options.Scaling;
        _dropoutProbability = options.Dropout;
        _dropout = dropout;
        register_module("base_layer", _base);
        register_module("lora_A", _down);
        register_module("lora_B", _up);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var dropped = training && _dropout is not null ? _dropout.Apply(x, _dropoutProbability) : x;
        var correction = _up.forward(_down.forward(dropped));               // (…, in) → (…, rank) → (…, out)
        return _base.forward(x).add(correction, alpha: _scaling).MoveToOuterDisposeScope();
    }

    private static Initialization BeginningOfA(LoraOptions options) => options.Initialization switch
    {
        LoraInitialization.KaimingUniform => Initialization.KaimingUniform,
        LoraInitialization.Gaussian => Initialization.Normal(1.0 / options.Rank),
        LoraInitialization.Orthogonal => Initialization.OrthonormalRows,
        var other => throw new ArgumentOutOfRangeException(nameof(options), other, "No such initialization."),
    };
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Whatever sits in a slot, plus a fixed low-rank correction beside it: y = f(x) + scale · B A x.</summary>
/// <remarks>
/// Shapes: x (…, in), A (rank, in), B (out, rank), y (…, out). For a network that only scores: what has been learned stays as it is, and the
/// correction says what is made of it.
/// </remarks>
public sealed class CorrectedLinear : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> _inner;
    private readonly LinearProjection _down;
    private readonly LinearProjection _up;
    private readonly double _scale;

    /// <summary>Puts the correction beside <paramref name="inner"/>, which this module owns from here on.</summary>
    /// <param name="inner">What fills the slot.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="source">Stands at the slot; holds "correction_A.weight" and "correction_B.weight".</param>
    /// <param name="correction">Gives rank and scale.</param>
    public CorrectedLinear(nn.Module<Tensor, Tensor> inner, ProjectionSlot slot, ParameterSource source, LoraFactors correction)
        : base(nameof(CorrectedLinear))
    {
        _inner = inner;
        _down = new LinearProjection(source.Under("correction_A"), slot.Inputs, correction.Rank, Initialization.Zeros, hasBias: false);
        _up = new LinearProjection(source.Under("correction_B"), correction.Rank, slot.Outputs, Initialization.Zeros, hasBias: false);
        _scale = correction.Scale;
        register_module("corrected", _inner);
        register_module("correction_A", _down);
        register_module("correction_B", _up);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var correction = _up.forward(_down.forward(x));               // (…, in) → (…, rank) → (…, out)
        return _inner.forward(x).add(correction, alpha: _scale).MoveToOuterDisposeScope();
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Fills each slot that an adapter changes with <see cref="LoraLinear"/> of the adapter's own rank and scale, the others with the plain map.</summary>
/// <remarks>The network's parameters must come from the base's weights and the adapter's together.</remarks>
public sealed class AdapterProjections(LoraAdapter adapter) : IProjectionFactory
{
    private readonly PlainProjections _plain = new();

    /// <inheritdoc/>
    public nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout)
    {
        var module = source.KeyOf("weight")[..^".weight".Length];
        return adapter.Factors.TryGetValue(module, out var factors)
            ? new LoraLinear(slot, source, factors.Options, dropout)
            : _plain.Create(slot, source, dropout);
    }
}

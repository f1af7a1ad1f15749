using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>One linear slot of a network, before it is filled.</summary>
/// <param name="Target">Its name as the checkpoint and TargetModules spell it, for example "query" or "attention.output.dense".</param>
/// <param name="Inputs">Width of its input.</param>
/// <param name="Outputs">Width of its output.</param>
/// <param name="Initialization">How its matrix is drawn when no checkpoint holds it.</param>
public sealed record ProjectionSlot(string Target, int Inputs, int Outputs, Initialization Initialization)
{
    /// <summary>Whether the map adds a bias to its product.</summary>
    /// <value>Default true; most maps of decoders have none.</value>
    public bool HasBias { get; init; } = true;
}

/// <summary>Decides what sits in each linear slot of a network: the plain map, or the map with an adapter.</summary>
/// <remarks>The network is built with the factory's answers and never patched afterwards.</remarks>
public interface IProjectionFactory
{
    /// <summary>Fills one slot; its parameters come from <paramref name="source"/>, which stands at the slot.</summary>
    nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout);
}

/// <summary>Fills every slot with the plain linear map: pretraining and full fine-tuning.</summary>
public sealed class PlainProjections : IProjectionFactory
{
    /// <inheritdoc/>
    public nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout) =>
        new LinearProjection(source, slot.Inputs, slot.Outputs, slot.Initialization, slot.HasBias);
}

using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Hands every slot of a network its parameter: from given weights where they hold it, else freshly drawn.</summary>
/// <remarks>
/// A frozen parameter shares storage with the given weights; a trainable one gets its own copy, so training never writes into weights that
/// others read. All draws come from one generator, in the order in which the network is built: nothing touches torch's global generator.
/// Used by one thread while a network is built.
/// </remarks>
public sealed class ParameterSource
{
    private readonly Construction _construction;
    private readonly string _prefix;

    /// <summary>A source at the root of a network.</summary>
    /// <param name="weights">Parameters by checkpoint key; the caller keeps ownership.</param>
    /// <param name="device">Where new parameters are made; the given weights are expected there.</param>
    /// <param name="isTrainable">Which parameters, by checkpoint key, take part in training.</param>
    /// <param name="generator">Draws what the weights lack; null when everything must be there.</param>
    public ParameterSource(IReadOnlyDictionary<string, Tensor> weights, Device device, Func<string, bool> isTrainable, Generator? generator)
        : this(new Construction(weights, device, isTrainable, generator, [], [], []), "")
    {
    }

    private ParameterSource(Construction construction, string prefix) => (_construction, _prefix) = (construction, prefix);

    /// <summary>Keys that the weights did not hold and that were drawn instead, in building order.</summary>
    public IReadOnlyList<string> Initialized => _construction.Initialized;

    /// <summary>Keys that the network took from the weights.</summary>
    public IReadOnlyCollection<string> Taken => _construction.Taken;

    /// <summary>The same source one level deeper: names are looked up under <paramref name="name"/>.</summary>
    public ParameterSource Under(string name) => new(_construction, _prefix + name + ".");

    /// <summary>The checkpoint key of <paramref name="name"/> at this level.</summary>
    public string KeyOf(string name) => _prefix + name;

    /// <summary>Whether the given weights hold <paramref name="name"/> at this level.</summary>
    public bool Holds(string name) => _construction.Weights.ContainsKey(KeyOf(name));

    /// <summary>The parameter of one slot; the network that registers it owns it.</summary>
    /// <param name="name">Its name at this level, for example "weight".</param>
    /// <param name="shape">The shape that the network needs.</param>
    /// <param name="initialization">How to draw it when the weights do not hold it.</param>
    /// <exception cref="InvalidDataException">The weights hold it with another shape, or lack it and nothing may be drawn; all parameters handed out are freed.</exception>
    public Parameter Take(string name, long[] shape, Initialization initialization)
    {
        var key = KeyOf(name);
        var trainable = _construction.IsTrainable(key);
        using var _ = no_grad();
        using var scope = NewDisposeScope();

        if (!_construction.Weights.TryGetValue(key, out var given))
        {
            if (_construction.Generator is not { } generator)
                throw Abandon($"{key} is missing and has no default. The network needs it with shape ({string.Join(", ", shape)}).");
            _construction.Initialized.Add(key);
            return Own(initialization.Draw(shape, _construction.Device, generator), trainable);
        }

        if (!given.shape.AsSpan().SequenceEqual(shape))
            throw Abandon($"{key} is ({string.Join(", ", given.shape)}); the network needs ({string.Join(", ", shape)}).");
        _construction.Taken.Add(key);
        return Own(trainable ? given.detach().clone() : given.detach(), trainable);
    }

    // Parameter takes over the tensor's handle; the network that registers it becomes its owner.
    private Parameter Own(Tensor tensor, bool trainable)
    {
        var parameter = (Parameter)new Parameter(tensor, trainable).DetachFromDisposeScope();
        _construction.Made.Add(parameter);
        return parameter;
    }

    // A network that cannot be finished has no owner yet: what was made for it goes.
    private InvalidDataException Abandon(string fault)
    {
        foreach (var parameter in _construction.Made) parameter.Dispose();
        return new InvalidDataException(fault);
    }

    private sealed record Construction(
        IReadOnlyDictionary<string, Tensor> Weights, Device Device, Func<string, bool> IsTrainable, Generator? Generator,
        List<string> Initialized, HashSet<string> Taken, List<Parameter> Made);
}

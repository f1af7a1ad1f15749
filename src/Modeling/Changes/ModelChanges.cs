using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What lies between two pretrained models of one architecture: every linear map of the encoder, before and after.</summary>
/// <remarks>Shares the weights of both models, which stay as long as this does.</remarks>
public sealed class ModelChanges : IWeightChanges
{
    private readonly SharedWeights _before;
    private readonly SharedWeights _after;

    private ModelChanges(PretrainedModel before, PretrainedModel after, Device device)
    {
        _before = SharedWeights.Acquire(before, device);
        try
        {
            _after = SharedWeights.Acquire(after, device);
        }
        catch
        {
            _before.Dispose();
            throw;
        }
        Names = [.. SequenceClassifier.Matrices(before.Config).Select(matrix => matrix.Key)
            .Where(name => _before.Tensors.ContainsKey(KeyOf(name)) && _after.Tensors.ContainsKey(KeyOf(name)))
            .Order(NaturalOrder.Instance)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Empty: only linear maps of the encoder are looked at.</summary>
    public IReadOnlyDictionary<string, string> Skipped { get; } = new Dictionary<string, string>();

    /// <summary>Looks at two models side by side.</summary>
    /// <param name="before">The model that all training started from.</param>
    /// <param name="after">What became of it.</param>
    /// <param name="device">Where the weights are to be.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="ArgumentException">The models are of different architectures.</exception>
    /// <exception cref="InvalidDataException">Weights cannot be read.</exception>
    public static ModelChanges Open(PretrainedModel before, PretrainedModel after, Device device)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        var differing = SequenceClassifier.Matrices(before.Config).Except(SequenceClassifier.Matrices(after.Config)).ToList();
        if (differing.Count > 0)
            throw new ArgumentException(
                $"'{before.Name}' and '{after.Name}' are of different architectures: {differing[0].Key} is ({differing[0].Value.Outputs}, "
                + $"{differing[0].Value.Inputs}) in the first and not in the second. Compare states of one model.");
        return new ModelChanges(before, after, device);
    }

    /// <inheritdoc/>
    public OwnedWeightChange Open(string name, Device device)
    {
        if (!Names.Contains(name))
            throw new ArgumentException($"{MessageText.Quote(name)} is none of the {Names.Count} linear maps of the encoder; Names lists them.", nameof(name));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var before = _before.Tensors[KeyOf(name)].to(device).alias();
        var after = _after.Tensors[KeyOf(name)].to(device).alias();
        var change = WeightChange.Dense(name, before, after);
        return new OwnedWeightChange(change, before.DetachFromDisposeScope(), after.DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _before.Dispose();
        _after.Dispose();
    }

    private static string KeyOf(string name) => $"{name}.weight";
}

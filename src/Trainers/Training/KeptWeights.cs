using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>A copy of what no checkpoint can give back, as it was after the best epoch so far.</summary>
/// <param name="network">The network in training.</param>
/// <param name="drawnKeys">Parameters that were drawn at random when the network was built: kept even where they are frozen.</param>
internal sealed class KeptWeights(nn.Module network, IReadOnlyCollection<string> drawnKeys) : IDisposable
{
    private readonly HashSet<string> _drawnKeys = [.. drawnKeys];
    private Dictionary<string, Tensor> _weights = [];

    /// <summary>The epoch that the copy was taken after, 1-based; 0 before the first.</summary>
    public int Epoch { get; private set; }

    /// <summary>The copy by checkpoint key; it stays this object's.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights => _weights;

    /// <summary>Replaces the copy by the network's present trainable parameters.</summary>
    public void Take(int epoch)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        DisposeWeights();
        foreach (var (key, parameter) in Live()) _weights.Add(key, parameter.detach().clone().DetachFromDisposeScope());
        Epoch = epoch;
    }

    /// <summary>The network's parameters that a copy is taken of, by checkpoint key; they stay the network's.</summary>
    public Dictionary<string, Tensor> Live() => network.named_parameters()
        .Select(named => (Key: LoraProjections.CheckpointKey(named.name), named.parameter))
        .Where(named => named.parameter.requires_grad || _drawnKeys.Contains(named.Key))
        .ToDictionary(named => named.Key, Tensor (named) => named.parameter);

    /// <summary>Goes on with the copy of an earlier run; it becomes this object's.</summary>
    public void Restore(int epoch, Dictionary<string, Tensor> weights)
    {
        DisposeWeights();
        (_weights, Epoch) = (weights, epoch);
    }

    /// <summary>The copy by checkpoint key; from here on the caller owns it.</summary>
    public Dictionary<string, Tensor> Release()
    {
        var weights = _weights;
        _weights = [];
        return weights;
    }

    public void Dispose() => DisposeWeights();

    private void DisposeWeights()
    {
        foreach (var tensor in _weights.Values) tensor.Dispose();
        _weights.Clear();
    }
}

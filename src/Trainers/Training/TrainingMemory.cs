using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>The tensors of a running fit: what the network, the optimizer and the best epoch so far hold.</summary>
internal sealed class TrainingMemory(nn.Module network, TrainingOptimizer optimizer, KeptWeights kept)
{
    public TrainingOptimizer Optimizer => optimizer;

    public KeptWeights Kept => kept;

    /// <summary>The network's live parameters by checkpoint key.</summary>
    public Dictionary<string, Tensor> Weights { get; } =
        network.named_parameters().ToDictionary(named => LoraProjections.CheckpointKey(named.name), Tensor (named) => named.parameter);

    /// <summary>Writes <paramref name="saved"/> into the live parameters; the tensors stay the caller's.</summary>
    public void RestoreWeights(IReadOnlyDictionary<string, Tensor> saved)
    {
        using var _ = no_grad();
        foreach (var (key, parameter) in Weights) parameter.copy_(saved[key]);
    }
}

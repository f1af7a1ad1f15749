using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Fills slots as another factory does, and puts a <see cref="CorrectedLinear"/> around those that have a correction.</summary>
/// <remarks>The network's parameters must come from its own weights and <see cref="Weights"/> together.</remarks>
/// <param name="inner">Fills the slots.</param>
/// <param name="corrections">By the checkpoint key of the matrix, without ".weight".</param>
public sealed class CorrectedProjections(IProjectionFactory inner, IReadOnlyDictionary<string, LoraFactors> corrections) : IProjectionFactory
{
    /// <summary>The corrections' tensors under the keys that the network asks for; they stay the caller's.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Weights => corrections.SelectMany(pair => new[]
    {
        KeyValuePair.Create($"{pair.Key}.correction_A.weight", pair.Value.A),
        KeyValuePair.Create($"{pair.Key}.correction_B.weight", pair.Value.B),
    });

    /// <inheritdoc/>
    public nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout)
    {
        var filled = inner.Create(slot, source, dropout);
        var module = source.KeyOf("weight")[..^".weight".Length];
        return corrections.TryGetValue(module, out var correction) ? new CorrectedLinear(filled, slot, source, correction) : filled;
    }
}

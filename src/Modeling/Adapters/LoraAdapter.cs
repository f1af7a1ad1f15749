using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A trained adapter apart from its base: low-rank changes of single matrices, each of its own rank, and what was trained in full beside them.</summary>
/// <remarks>Owns its tensors; dispose it. Thread-safe to read.</remarks>
public sealed class LoraAdapter : IDisposable
{
    /// <summary>Takes ownership of the tensors.</summary>
    /// <param name="factors">By the checkpoint key of the matrix, without ".weight".</param>
    /// <param name="fullyTrained">By checkpoint key: a classification head, for example.</param>
    public LoraAdapter(IReadOnlyDictionary<string, LoraFactors> factors, IReadOnlyDictionary<string, Tensor> fullyTrained)
    {
        ArgumentNullException.ThrowIfNull(factors);
        ArgumentNullException.ThrowIfNull(fullyTrained);
        (Factors, FullyTrained) = (factors, fullyTrained);
    }

    /// <summary>The low-rank changes, by the checkpoint key of the matrix without ".weight".</summary>
    public IReadOnlyDictionary<string, LoraFactors> Factors { get; }

    /// <summary>Parameters that replace the base's, or that the base has none of, by checkpoint key.</summary>
    public IReadOnlyDictionary<string, Tensor> FullyTrained { get; }

    /// <summary>All tensors under the keys that a network built with <see cref="AdapterProjections"/> asks for. Owned by this adapter.</summary>
    internal IEnumerable<KeyValuePair<string, Tensor>> Weights => Factors
        .SelectMany(pair => new[]
        {
            KeyValuePair.Create($"{pair.Key}.lora_A.weight", pair.Value.A),
            KeyValuePair.Create($"{pair.Key}.lora_B.weight", pair.Value.B),
        })
        .Concat(FullyTrained);

    /// <summary>How this adapter does not fit a network that asks for these parameters, as phrases; empty when it does.</summary>
    internal IReadOnlyList<string> Complaints(IReadOnlyDictionary<string, long[]> asked)
    {
        var complaints = new List<string>();
        foreach (var (module, factors) in Factors.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            long[] changed = [factors.B.shape[0], factors.A.shape[1]];
            if (!asked.TryGetValue($"{module}.weight", out var shape) || shape.Length != 2)
                complaints.Add($"{MessageText.Quote(module)} is no matrix of the base");
            else if (!shape.AsSpan().SequenceEqual(changed))
                complaints.Add($"{MessageText.Quote(module)} changes a ({string.Join(", ", changed)}) matrix, the base's is ({string.Join(", ", shape)})");
        }
        foreach (var (key, tensor) in FullyTrained.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!asked.TryGetValue(key, out var shape)) complaints.Add($"{MessageText.Quote(key)} is no parameter of the network");
            else if (!shape.AsSpan().SequenceEqual(tensor.shape))
                complaints.Add($"{MessageText.Quote(key)} is ({string.Join(", ", tensor.shape)}), the network needs ({string.Join(", ", shape)})");
        }
        return complaints;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, tensor) in Weights) tensor.Dispose();
    }
}

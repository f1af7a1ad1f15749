using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The matrices of a base beside those of one state of its encoder, all in memory.</summary>
/// <remarks>Borrows the tensors of the state.</remarks>
internal sealed class StateChanges(
    EncoderConfig config, IReadOnlyDictionary<string, Tensor> before, IReadOnlyDictionary<string, Tensor> tuned, IReadOnlyDictionary<string, LoraFactors> factors)
    : IWeightChanges
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; } =
        [.. NetworkShapes.Projections(config).Select(matrix => matrix.Key).Where(name => tuned.ContainsKey(KeyOf(name)) || factors.ContainsKey(name))
            .Order(NaturalOrder.Instance)];

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Skipped { get; } = tuned.Keys
        .Where(key => !NetworkShapes.Projections(config).Any(matrix => KeyOf(matrix.Key) == key))
        .ToDictionary(key => key, key => key.Contains("embeddings.", StringComparison.Ordinal) ? "an embedding is a table, not a linear map" : "a vector has no singular directions");

    /// <inheritdoc/>
    public OwnedWeightChange Open(string name, Device device)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var own = factors.GetValueOrDefault(name);
        Tensor[] tensors = tuned.TryGetValue(KeyOf(name), out var matrix) ? [before[KeyOf(name)], Corrected(matrix, own)] : [before[KeyOf(name)], own!.A, own.B];
        tensors = [.. tensors.Select(tensor => tensor.to(device).alias().DetachFromDisposeScope())];
        var change = tensors is [var weight, var a, var b]
            ? WeightChange.LowRank(name, weight, a, b, own!.Scale)
            : WeightChange.Dense(name, tensors[0], tensors[1]);
        return new OwnedWeightChange(change, tensors);
    }

    /// <summary>Nothing: the tensors are the state's.</summary>
    public void Dispose()
    {
    }

    // In float64, so that what a correction took away is not rounded back.
    private static Tensor Corrected(Tensor tuned, LoraFactors? correction) => correction is null
        ? tuned
        : tuned.to(ScalarType.Float64).add(correction.B.to(ScalarType.Float64).matmul(correction.A.to(ScalarType.Float64)), alpha: correction.Scale);

    private static string KeyOf(string name) => $"{name}.weight";
}

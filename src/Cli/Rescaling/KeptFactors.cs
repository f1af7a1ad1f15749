using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Rescaling;

/// <summary>The new factors of an adapter that is being repaired, in the computer's memory until it is written. Owns them.</summary>
internal sealed class KeptFactors : IDisposable
{
    private readonly Dictionary<string, LoraFactors> _factors = [];

    /// <summary>By name of the matrix; without those that stay as they are stored.</summary>
    public IReadOnlyDictionary<string, LoraFactors> ByName => _factors;

    /// <summary>Copies the new factors of one matrix, if it has any, and disposes them.</summary>
    /// <returns>What was said of the matrix.</returns>
    public TMatrix Keep<TMatrix>(string name, (TMatrix Matrix, LowRankFactors? Factors) made)
    {
        using var own = made.Factors;
        if (own is not null) _factors.Add(name, new LoraFactors(Kept(own.A), Kept(own.B), own.Scale));
        return made.Matrix;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var factors in _factors.Values) factors.Dispose();
    }

    private static Tensor Kept(Tensor tensor) => tensor.to(CPU, copy: true).DetachFromDisposeScope();
}

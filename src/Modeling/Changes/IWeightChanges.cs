using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What fine-tuning did to a model, matrix by matrix: the base beside low-rank factors or the tuned matrix.</summary>
/// <remarks>
/// Two checkpoints, a checkpoint with an adapter and a trained classifier all come in this form, so that one code measures and rescales
/// them. Matrices are read one at a time: memory for a few of them, not for two models. Thread-safe.
/// </remarks>
public interface IWeightChanges : IDisposable
{
    /// <summary>The matrices that can be measured, in natural order (layer 2 before layer 10): checkpoint keys without ".weight".</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>What else differs or was trained and is not measured, by checkpoint key: embeddings, heads, vectors, each with the reason.</summary>
    IReadOnlyDictionary<string, string> Skipped { get; }

    /// <summary>One matrix and its change.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="device">Where its tensors are to be.</param>
    /// <returns>Holds the tensors that the change borrows; the caller disposes it.</returns>
    /// <exception cref="InvalidDataException">The matrix cannot be read, or holds a value that is no number.</exception>
    OwnedWeightChange Open(string name, Device device);
}

/// <summary>A weight change together with whatever has to be disposed after it.</summary>
/// <param name="change">The change.</param>
/// <param name="tensors">Tensors that were read for it alone.</param>
public sealed class OwnedWeightChange(WeightChange change, params IReadOnlyList<IDisposable> tensors) : IDisposable
{
    /// <summary>The change; valid until this is disposed.</summary>
    public WeightChange Change { get; } = change;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in tensors) tensor.Dispose();
    }
}

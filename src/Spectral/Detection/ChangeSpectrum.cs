using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A weight change with the leading singular triples of its tuned matrix: what a finding rests on and a rescaling needs.</summary>
/// <remarks>
/// Owns the triples' vectors, borrows the change. Computed once, it serves rescalings by any number of factors. Immutable and thread-safe
/// until disposed.
/// </remarks>
public sealed class ChangeSpectrum : IDisposable
{
    internal ChangeSpectrum(WeightChange change, SpectralFinding finding, Tensor leftVectors, Tensor rightVectors)
    {
        (Change, Finding) = (change, finding);
        LeftVectors = leftVectors.DetachFromDisposeScope();
        RightVectors = rightVectors.DetachFromDisposeScope();
    }

    /// <summary>The change that was looked at.</summary>
    public WeightChange Change { get; }

    /// <summary>What was found, as numbers.</summary>
    public SpectralFinding Finding { get; }

    /// <summary>
    /// Left singular vectors of the tuned matrix, by descending singular value: (rows, top k), float64. Owned by this object.
    /// </summary>
    public Tensor LeftVectors { get; }

    /// <summary>
    /// Right singular vectors of the tuned matrix, by descending singular value: (columns, top k), float64. Owned by this object.
    /// </summary>
    public Tensor RightVectors { get; }

    /// <summary>Frees the vectors.</summary>
    public void Dispose()
    {
        LeftVectors.Dispose();
        RightVectors.Dispose();
    }
}

namespace MLNetLoRA.Spectral;

/// <summary>A change cut to a given rank, with what that cost.</summary>
/// <remarks>Owns its factors.</remarks>
public sealed class TruncatedFactors : IDisposable
{
    internal TruncatedFactors(LowRankFactors factors, double error, double relativeError) =>
        (Factors, Error, RelativeError) = (factors, error, relativeError);

    /// <summary>The nearest change of that rank in Frobenius norm. Owned by this object.</summary>
    public LowRankFactors Factors { get; }

    /// <summary>Frobenius norm of what was cut off.</summary>
    public double Error { get; }

    /// <summary><see cref="Error"/> as a share of the change's Frobenius norm; 0 for no change.</summary>
    public double RelativeError { get; }

    /// <summary>Frees the factors.</summary>
    public void Dispose() => Factors.Dispose();
}

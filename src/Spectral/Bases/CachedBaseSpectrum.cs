namespace MLNetLoRA.Spectral;

/// <summary>A base's singular basis with how a cache came by it.</summary>
/// <remarks>Owns the basis.</remarks>
public sealed class CachedBaseSpectrum : IDisposable
{
    internal CachedBaseSpectrum(BaseSpectrum basis, CacheOutcome outcome, string? problem) =>
        (Basis, Outcome, Problem) = (basis, outcome, problem);

    /// <summary>The basis. Owned by this object.</summary>
    public BaseSpectrum Basis { get; }

    /// <summary>What the cache did.</summary>
    public CacheOutcome Outcome { get; }

    /// <summary>
    /// Why it was rebuilt or not stored, as one sentence for a log, starting with the file's path; null when all went well.
    /// </summary>
    public string? Problem { get; }

    /// <summary>Frees the basis.</summary>
    public void Dispose() => Basis.Dispose();
}

namespace MLNetLoRA.Spectral;

/// <summary>What a <see cref="BaseSpectrumCache"/> did for one base.</summary>
public enum CacheOutcome
{
    /// <summary>The basis was on the disk.</summary>
    Found,

    /// <summary>It was not; it was computed and written.</summary>
    Computed,

    /// <summary>What was there could not be used; it was computed and written anew.</summary>
    Rebuilt,

    /// <summary>It was computed, but could not be written: the next one to ask computes it again.</summary>
    NotStored,
}

namespace MLNetLoRA;

/// <summary>How singular triples and cosines are computed.</summary>
public enum SpectralMethod
{
    /// <summary>
    /// From the base's singular basis, which is computed once; where that leaves anything open, as <see cref="Complete"/>.
    /// </summary>
    Fast,

    /// <summary>From complete float64 decompositions of both matrices: the reference.</summary>
    Complete,
}

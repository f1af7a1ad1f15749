namespace MLNetLoRA;

/// <summary>What a singular vector of a tuned matrix is, at one threshold.</summary>
public enum IntruderVerdict
{
    /// <summary>Some singular vector of the base is as close as the threshold or closer.</summary>
    Pretrained,

    /// <summary>No singular vector of the base is as close as the threshold.</summary>
    Intruder,

    /// <summary>
    /// It depends on an arbitrary choice: nearly equal singular values leave the vectors of their subspace open, and some choices would
    /// make an intruder, others not. Neither counted nor rescaled.
    /// </summary>
    IllDefined,
}

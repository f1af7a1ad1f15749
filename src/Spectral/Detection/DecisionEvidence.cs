namespace MLNetLoRA;

/// <summary>What settled whether a singular vector is an intruder.</summary>
public enum DecisionEvidence
{
    /// <summary>Its cosines: with a base vector at least as close as the threshold, or with every vector of a complete basis.</summary>
    Direct,

    /// <summary>So little of it lies outside the base vectors known that no other one can be close to it.</summary>
    Residual,

    /// <summary>A bound on its cosine with every base vector not known, from Lanczos steps (Christoffel numbers).</summary>
    Certificate,

    /// <summary>Complete float64 decompositions of both matrices.</summary>
    CompleteDecomposition,
}

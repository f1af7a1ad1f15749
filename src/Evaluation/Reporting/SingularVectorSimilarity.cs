namespace MLNetLoRA;

/// <summary>|cosines| of the singular vectors of a tuned matrix with those of its base.</summary>
/// <remarks>Immutable and thread-safe; holds no tensor.</remarks>
/// <param name="Name">The matrix's checkpoint key without ".weight".</param>
/// <param name="Cosines">One row for each vector of the tuned matrix, one value for each of the base, both by descending singular value; in [0, 1].</param>
public sealed record SingularVectorSimilarity(string Name, IReadOnlyList<IReadOnlyList<double>> Cosines);

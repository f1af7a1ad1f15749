namespace MLNetLoRA.Cli.Rescaling;

/// <summary>One matrix in <c>rescale --json</c>: what was written.</summary>
/// <param name="Name">Its checkpoint key without ".weight".</param>
/// <param name="Frobenius">Norm of the matrix after rescaling.</param>
/// <param name="DeltaFrobenius">Norm of its distance from the base.</param>
/// <param name="Rank">Inner dimension of the change written; of a checkpoint that is not cut to a rank, the shorter side.</param>
/// <param name="TruncationError">Norm of what was cut off to reach the rank.</param>
/// <param name="Triples">The singular triples that were rescaled, from 0 by descending singular value.</param>
/// <param name="UniformFactor">The factor of the whole change; 1 unless a uniform control was asked for.</param>
/// <param name="Distance">Norm of the difference from the tuned matrix, before any cut.</param>
/// <param name="IsMeasurable">False for a neighbour control without any pretrained direction to rescale.</param>
/// <param name="IsClipped">Whether a uniform control reached 0 and so moves less far than what it stands beside.</param>
internal sealed record RescaledMatrix(
    string Name, double Frobenius, double DeltaFrobenius, int Rank, double TruncationError, IReadOnlyList<int> Triples, double UniformFactor,
    double Distance, bool IsMeasurable, bool IsClipped)
{
    /// <summary>A matrix written as planned.</summary>
    public static RescaledMatrix Of(RescalingPlan plan, int rank) => new(
        plan.Name, plan.Frobenius, plan.DeltaFrobenius, rank, 0, plan.Triples, plan.UniformFactor, plan.Distance, plan.IsMeasurable, plan.IsClipped);

    /// <summary>A matrix whose change was cut to a rank.</summary>
    /// <param name="plan">What was to be written.</param>
    /// <param name="rank">The rank written.</param>
    /// <param name="error">Norm of what was cut off.</param>
    /// <param name="frobenius">Norm of the matrix that is left.</param>
    public static RescaledMatrix Cut(RescalingPlan plan, int rank, double error, double frobenius) => Of(plan, rank) with
    {
        Frobenius = frobenius,
        // What is kept and what is cut off are orthogonal.
        DeltaFrobenius = Math.Sqrt(Math.Max(0, (plan.DeltaFrobenius * plan.DeltaFrobenius) - (error * error))),
        TruncationError = error,
    };
}

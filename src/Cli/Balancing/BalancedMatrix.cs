namespace MLNetLoRA.Cli.Balancing;

/// <summary>One matrix in <c>rescale --which balance --json</c>: what was written.</summary>
/// <param name="Name">Its checkpoint key without ".weight".</param>
/// <param name="Frobenius">Norm of the matrix after the repair.</param>
/// <param name="DeltaFrobenius">Norm of its distance from the base.</param>
/// <param name="Rank">Inner dimension of the change written; of a checkpoint that is not cut to a rank, the shorter side.</param>
/// <param name="TruncationError">Norm of what was cut off to reach the rank.</param>
/// <param name="Distance">Norm of the difference from the tuned matrix, before any cut.</param>
/// <param name="TaskShift">How far outputs on the task move, as a share of what the change did to them, before any cut.</param>
/// <param name="RetentionLeft">How much of the change's effect on retained texts is left, as a share, before any cut.</param>
internal sealed record BalancedMatrix(
    string Name, double Frobenius, double DeltaFrobenius, int Rank, double TruncationError, double Distance, double TaskShift, double RetentionLeft)
{
    /// <summary>A matrix written as planned.</summary>
    public static BalancedMatrix Of(BalancePlan plan, int rank) =>
        new(plan.Name, plan.Frobenius, plan.DeltaFrobenius, rank, 0, plan.Distance, plan.TaskShift, plan.RetentionLeft);

    /// <summary>A matrix whose change was cut to a rank.</summary>
    /// <param name="plan">What was to be written.</param>
    /// <param name="rank">The rank written.</param>
    /// <param name="error">Norm of what was cut off.</param>
    /// <param name="frobenius">Norm of the matrix that is left.</param>
    public static BalancedMatrix Cut(BalancePlan plan, int rank, double error, double frobenius) => Of(plan, rank) with
    {
        Frobenius = frobenius,
        // What is kept and what is cut off are orthogonal.
        DeltaFrobenius = Math.Sqrt(Math.Max(0, (plan.DeltaFrobenius * plan.DeltaFrobenius) - (error * error))),
        TruncationError = error,
    };
}

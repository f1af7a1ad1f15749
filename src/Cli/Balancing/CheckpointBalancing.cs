using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Balancing;

/// <summary>Writes the balanced model as a checkpoint like the tuned one, matrix by matrix.</summary>
internal static class CheckpointBalancing
{
    /// <summary>Writes the checkpoint; memory for a few matrices is enough.</summary>
    /// <param name="pass">Balances.</param>
    /// <param name="rank">The rank that each change is cut to; null for none.</param>
    /// <param name="write">Writes the checkpoint; asks once for each matrix, which it disposes, or keeps the tuned one where the answer is null.</param>
    public static IReadOnlyList<BalancedMatrix> Write(BalancePass pass, int? rank, Action<Func<string, Tensor?>> write)
    {
        var written = new Dictionary<string, BalancedMatrix>();
        var names = pass.Names.ToHashSet();
        write(name => names.Contains(name) ? pass.Balance(name, (change, balanced) => Keep(name, Make(change, balanced, rank))) : null);
        return [.. pass.Names.Select(name => written[name])];

        Tensor? Keep(string name, (BalancedMatrix Matrix, Tensor? Tensor) made)
        {
            written.Add(name, made.Matrix);
            return made.Tensor?.DetachFromDisposeScope();
        }
    }

    // Null: the matrix as it is stored.
    private static (BalancedMatrix, Tensor?) Make(WeightChange change, BalancedChange balanced, int? rank)
    {
        var side = (int)Math.Min(change.Rows, change.Columns);
        if (rank is { } limit && limit < side)
        {
            using var cut = balanced.Truncate(limit);
            if (cut.Error > 0)
            {
                var wide = change.Base.to(float64) + cut.Factors.ToDense();
                return (BalancedMatrix.Cut(balanced.Plan, cut.Factors.Rank, cut.Error, wide.norm().item<double>()), wide.to(change.Tuned!.dtype));
            }
            side = cut.Factors.Rank;
        }
        return (BalancedMatrix.Of(balanced.Plan, side), balanced.Plan.ChangesNothing ? null : balanced.ToDense());
    }
}

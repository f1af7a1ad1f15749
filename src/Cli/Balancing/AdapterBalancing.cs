using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Balancing;

/// <summary>Writes the balanced model as a PEFT adapter: each matrix of the rank that it had, or of the rank asked for.</summary>
internal static class AdapterBalancing
{
    /// <summary>Writes the adapter; the new factors are in memory until then.</summary>
    /// <param name="pass">Balances.</param>
    /// <param name="rank">The rank that each change is cut to; null for the one it has.</param>
    /// <param name="write">Writes the adapter with these factors; matrices without keep theirs.</param>
    public static IReadOnlyList<BalancedMatrix> Write(BalancePass pass, int? rank, Action<IReadOnlyDictionary<string, LoraFactors>> write)
    {
        var factors = new Dictionary<string, LoraFactors>();
        try
        {
            var matrices = pass.Names.Select(name => pass.Balance(name, (change, balanced) => Keep(name, Make(change, balanced, rank)))).ToList();
            write(factors);
            return matrices;
        }
        finally
        {
            foreach (var kept in factors.Values) kept.Dispose();
        }

        BalancedMatrix Keep(string name, (BalancedMatrix Matrix, LowRankFactors? Factors) made)
        {
            using var own = made.Factors;
            if (own is not null) factors.Add(name, new LoraFactors(Kept(own.A), Kept(own.B), own.Scale));
            return made.Matrix;
        }
    }

    // Null: the factors as they are stored.
    private static (BalancedMatrix, LowRankFactors?) Make(WeightChange change, BalancedChange balanced, int? rank)
    {
        var exact = (int)change.A!.shape[0];
        if (rank is not { } limit || limit >= exact) return (BalancedMatrix.Of(balanced.Plan, exact), balanced.Plan.ChangesNothing ? null : balanced.ToFactors());
        var cut = balanced.Truncate(limit);
        var norm = (change.Base.to(float64) + cut.Factors.ToDense()).norm().item<double>();
        return (BalancedMatrix.Cut(balanced.Plan, cut.Factors.Rank, cut.Error, norm), cut.Factors);
    }

    private static Tensor Kept(Tensor tensor) => tensor.to(CPU, copy: true).DetachFromDisposeScope();
}

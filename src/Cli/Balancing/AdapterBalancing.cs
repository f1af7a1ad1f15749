using MLNetLoRA.Cli.Rescaling;
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
        using var factors = new KeptFactors();
        var matrices = pass.Names.Select(name => pass.Balance(name, (change, balanced) => factors.Keep(name, Make(change, balanced, rank)))).ToList();
        write(factors.ByName);
        return matrices;
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
}

using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Rescaling;

/// <summary>Writes the rescaled model as a PEFT adapter: each matrix of the rank that it needs, or of the rank asked for.</summary>
internal static class AdapterRescaling
{
    public const string Form = "adapter";

    /// <summary>Writes the folder; the new factors are in memory until then.</summary>
    /// <param name="pass">Rescales.</param>
    /// <param name="rank">The rank that each change is cut to; null for as many as it takes to be exact.</param>
    /// <param name="write">Writes the adapter with these factors; matrices without keep theirs.</param>
    public static IReadOnlyList<RescaledMatrix> Write(RescalePass pass, int? rank, Action<IReadOnlyDictionary<string, LoraFactors>> write)
    {
        using var factors = new KeptFactors();
        var matrices = pass.Names.Select(name => pass.Rescale(name, (change, rescaled) => factors.Keep(name, Make(change, rescaled, rank)))).ToList();
        write(factors.ByName);
        return matrices;
    }

    // Null: the factors as they are stored.
    private static (RescaledMatrix, LowRankFactors?) Make(WeightChange change, RescaledChange rescaled, int? rank)
    {
        var exact = (int)change.A!.shape[0] + rescaled.Plan.Triples.Count;
        if (rescaled.Plan.ChangesNothing) exact = (int)change.A.shape[0];
        if (rank is { } limit && limit < exact) return Cut(change, rescaled, limit);
        return (RescaledMatrix.Of(rescaled.Plan, exact), rescaled.Plan.ChangesNothing ? null : rescaled.ToFactors());
    }

    private static (RescaledMatrix, LowRankFactors?) Cut(WeightChange change, RescaledChange rescaled, int rank)
    {
        var cut = rescaled.Truncate(rank);
        var norm = (change.Base.to(float64) + cut.Factors.ToDense()).norm().item<double>();
        return (RescaledMatrix.Cut(rescaled.Plan, cut.Factors.Rank, cut.Error, norm), cut.Factors);
    }
}

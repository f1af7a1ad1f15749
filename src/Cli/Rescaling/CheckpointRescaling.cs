using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Rescaling;

/// <summary>Writes the rescaled model as a checkpoint like the tuned one, matrix by matrix.</summary>
internal static class CheckpointRescaling
{
    public const string Form = "checkpoint";

    /// <summary>Writes the folder; memory for a few matrices is enough.</summary>
    /// <param name="pass">Rescales.</param>
    /// <param name="rank">The rank that each change is cut to; null for none.</param>
    /// <param name="write">Writes the checkpoint; asks once for each matrix, which it disposes, or keeps the tuned one where the answer is null.</param>
    public static IReadOnlyList<RescaledMatrix> Write(RescalePass pass, int? rank, Action<Func<string, Tensor?>> write)
    {
        var written = new Dictionary<string, RescaledMatrix>();
        write(name => pass.Rescale(name, (change, rescaled) =>
        {
            var (matrix, tensor) = rank is { } limit && limit < Math.Min(change.Rows, change.Columns) ? Cut(change, rescaled, limit) : Whole(change, rescaled);
            written.Add(name, matrix);
            return tensor?.DetachFromDisposeScope();
        }));
        return [.. pass.Names.Select(name => written[name])];
    }

    private static (RescaledMatrix, Tensor?) Whole(WeightChange change, RescaledChange rescaled) => (
        RescaledMatrix.Of(rescaled.Plan, (int)Math.Min(change.Rows, change.Columns)),
        rescaled.Plan.ChangesNothing ? null : Storable(change, rescaled.ToDense()));

    private static (RescaledMatrix, Tensor?) Cut(WeightChange change, RescaledChange rescaled, int rank)
    {
        using var cut = rescaled.Truncate(rank);
        if (cut.Error == 0)
        {
            var (matrix, tensor) = Whole(change, rescaled);
            return (matrix with { Rank = cut.Factors.Rank }, tensor);
        }
        var wide = change.Base.to(float64) + cut.Factors.ToDense();
        return (
            RescaledMatrix.Cut(rescaled.Plan, cut.Factors.Rank, cut.Error, wide.norm().item<double>()),
            Storable(change, wide.to(change.Tuned!.dtype)));
    }

    // A half type ends at 65,504; amplified intruders may pass it.
    private static Tensor Storable(WeightChange change, Tensor matrix) => matrix.isfinite().all().item<bool>()
        ? matrix
        : throw new InvalidDataException($"{change.Name}: rescaled values leave the range of {matrix.dtype}, in which the tuned checkpoint stores them. Choose a smaller --scale, or convert the checkpoint.");
}

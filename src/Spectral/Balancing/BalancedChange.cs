using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A weight change after a balanced repair, in whichever form is wanted.</summary>
/// <remarks>Borrows the change it was made from, and owns what the repair computed. Thread safe.</remarks>
public sealed class BalancedChange : IDisposable
{
    private readonly WeightChange _change;
    private readonly Tensor? _right;                 // R′ in float64: A′ or ΔW′; null where nothing changes

    internal BalancedChange(WeightChange change, Tensor? right, BalancePlan plan) => (_change, _right, Plan) = (change, right?.DetachFromDisposeScope(), plan);

    /// <summary>What the repair does, as numbers.</summary>
    public BalancePlan Plan { get; }

    /// <summary>The repaired change as factors of the same rank: A′ beside B as it is, to the bit.</summary>
    /// <remarks>A′ is in A's element type where that is float32 or float64, else in float32; where nothing changes, A as it is, to the bit.</remarks>
    /// <returns>The caller disposes them.</returns>
    /// <exception cref="InvalidOperationException">The change is dense: take <see cref="ToDense"/> or <see cref="Truncate"/>.</exception>
    public LowRankFactors ToFactors()
    {
        EnsureLowRank();
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var a = _right is null
            ? _change.A!.detach().clone()
            : Owned(_right, _change.A!.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32);
        return new LowRankFactors(a, _change.B!.detach().clone(), _change.Scale);
    }

    /// <summary>The repaired tuned matrix W′ (rows, columns).</summary>
    /// <param name="dataType">Its element type; null: that of the tuned matrix or, for a change by factors, of the base.</param>
    /// <returns>
    /// Computed in float64 and rounded once; of a dense change that nothing changes, the tuned matrix to the bit. The caller disposes it.
    /// </returns>
    public Tensor ToDense(ScalarType? dataType = null)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var stored = _change.Tuned ?? _change.Base;
        var repaired = _right is null && _change.Tuned is not null ? _change.Tuned.detach() : Wide(_change.Base) + Delta();
        return Owned(repaired, dataType ?? stored.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>What the repair adds to the tuned matrix, W′ − W (rows, columns); null where it adds nothing.</summary>
    /// <param name="dataType">Its element type.</param>
    /// <returns>The caller disposes it.</returns>
    public Tensor? ToDifference(ScalarType dataType)
    {
        if (_right is null) return null;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Owned(Difference(), dataType).MoveToOuterDisposeScope();
    }

    /// <summary>The nearest change of at most a given rank, by singular values.</summary>
    /// <param name="rank">1 or more; a change of lower rank keeps its own.</param>
    /// <returns>
    /// Float32 factors with the change's scale (1 for a dense change), singular values shared evenly between both. The caller disposes it.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="rank"/> is below 1.</exception>
    public TruncatedFactors Truncate(int rank)
    {
        CheckRank(rank);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var decomposed = _change.IsLowRank
            ? RankTruncation.Decompose(_right ?? Wide(_change.A!), Wide(_change.B!))
            : linalg.svd(Delta(), fullMatrices: false);
        return RankTruncation.Cut(decomposed, rank, _change.IsLowRank ? _change.Scale : 1);
    }

    /// <summary>The nearest matrix of at most a given rank to what the repair adds to the tuned matrix, W′ − W; null where it adds nothing.</summary>
    /// <param name="rank">1 or more.</param>
    /// <returns>Float32 factors of scale 1. The caller disposes it.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="rank"/> is below 1.</exception>
    public TruncatedFactors? TruncateDifference(int rank)
    {
        CheckRank(rank);
        if (_right is null) return null;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return RankTruncation.Cut(linalg.svd(Difference(), fullMatrices: false), rank, 1);
    }

    /// <summary>Frees what the repair computed.</summary>
    public void Dispose() => _right?.Dispose();

    // ΔW′ in float64.
    private Tensor Delta() => _change.IsLowRank
        ? Wide(_change.B!).matmul(_right ?? Wide(_change.A!)).mul_(_change.Scale)
        : _right ?? Wide(_change.Tuned!) - Wide(_change.Base);

    // W′ − W in float64, of a repair that changes something.
    private Tensor Difference() => _change.IsLowRank
        ? Wide(_change.B!).matmul(_right! - Wide(_change.A!)).mul_(_change.Scale)
        : _right! - (Wide(_change.Tuned!) - Wide(_change.Base));

    private void EnsureLowRank()
    {
        if (_change.IsLowRank) return;
        throw new InvalidOperationException(
            $"{Plan.Name}: the change was given as a tuned matrix, so it has no factors; "
            + "take ToDense, or Truncate for the nearest factors of a given rank.");
    }

    private void CheckRank(int rank)
    {
        if (rank < 1) throw new ArgumentOutOfRangeException(nameof(rank), rank, $"{Plan.Name}: a rank of 1 or more was wanted.");
    }

    private static Tensor Wide(Tensor tensor) => tensor.detach().to(ScalarType.Float64);

    private static Tensor Owned(Tensor tensor, ScalarType dataType) => tensor.to(dataType, copy: true).contiguous();
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A weight change after rescaling, in whichever form is wanted.</summary>
/// <remarks>
/// Borrows the change or spectrum that it was made from and holds nothing of its own, so there is nothing to dispose. Thread safe.
/// </remarks>
public sealed class RescaledChange
{
    private readonly ChangeSpectrum? _spectrum;

    internal RescaledChange(ChangeSpectrum spectrum, RescalingPlan plan) : this(spectrum.Change, spectrum, plan)
    {
    }

    private RescaledChange(WeightChange change, ChangeSpectrum? spectrum, RescalingPlan plan) =>
        (Change, _spectrum, Plan) = (change, spectrum, plan);

    /// <summary>What the rescaling does, as numbers.</summary>
    public RescalingPlan Plan { get; }

    private WeightChange Change { get; }

    private bool HasTriples => !Plan.ChangesNothing && Plan.Triples.Count > 0;

    /// <summary>The whole change times the factor of a uniform control, whose plan needs no spectrum any more.</summary>
    /// <remarks>So the changes of a model can be read one at a time, once to plan and once to rescale.</remarks>
    /// <param name="change">The change that the plan was made for; must outlive what is returned.</param>
    /// <param name="plan">What <see cref="IntruderRescaling.Plan"/> gave for it.</param>
    /// <exception cref="ArgumentException">The plan is another matrix's, or rescales singular triples.</exception>
    public static RescaledChange Uniform(WeightChange change, RescalingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Name != change.Name) throw new ArgumentException($"{change.Name}: the plan is that of {plan.Name}.", nameof(plan));
        if (plan.Triples.Count > 0)
            throw new ArgumentException($"{change.Name}: the plan rescales singular triples; apply it to the spectrum.", nameof(plan));
        return new RescaledChange(change, null, plan);
    }

    /// <summary>The rescaled change as factors: exact, of rank r plus the number of rescaled triples.</summary>
    /// <remarks>
    /// B′ = [c B, ((λ − 1) / scale) U S] and A′ = [A; Vᵀ] over the rescaled triples, with the scale of the change. In float32, or float64
    /// when a factor of the change is; where nothing changes, the factors as they are, to the bit.
    /// </remarks>
    /// <returns>The caller disposes them.</returns>
    /// <exception cref="InvalidOperationException">The change is dense: take <see cref="ToDense"/> or <see cref="Truncate"/>.</exception>
    public LowRankFactors ToFactors()
    {
        EnsureLowRank();
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (Plan.ChangesNothing) return new LowRankFactors(Change.A!.detach().clone(), Change.B!.detach().clone(), Change.Scale);
        var (a, b) = ExactFactors();
        var isWide = Change.A!.dtype == ScalarType.Float64 || Change.B!.dtype == ScalarType.Float64;
        var dataType = isWide ? ScalarType.Float64 : ScalarType.Float32;
        return new LowRankFactors(Owned(a, dataType), Owned(b, dataType), Change.Scale);
    }

    /// <summary>What the rescaling adds to the tuned matrix, W′ − W, as float32 factors of scale 1; null where it adds nothing.</summary>
    /// <returns>Of rank "number of rescaled triples" or, for a uniform control, of the change's rank. The caller disposes them.</returns>
    /// <exception cref="InvalidOperationException">A uniform control of a dense change has no low-rank correction.</exception>
    public LowRankFactors? ToCorrection()
    {
        if (Plan.ChangesNothing) return null;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (HasTriples)
        {
            var (a, b) = TripleFactors();
            return new LowRankFactors(Owned(a, ScalarType.Float32), Owned(b, ScalarType.Float32), 1);
        }
        EnsureLowRank();
        var scaled = Wide(Change.B!).mul((Plan.UniformFactor - 1) * Change.Scale);
        return new LowRankFactors(Owned(Wide(Change.A!), ScalarType.Float32), Owned(scaled, ScalarType.Float32), 1);
    }

    /// <summary>The rescaled tuned matrix W′ (rows, columns).</summary>
    /// <param name="dataType">Its element type; null: that of the tuned matrix or, for a change by factors, of the base.</param>
    /// <returns>
    /// Computed in float64 and rounded once; of a dense change that nothing changes, the tuned matrix to the bit. The caller disposes it.
    /// </returns>
    public Tensor ToDense(ScalarType? dataType = null)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var stored = Change.Tuned ?? Change.Base;
        var rescaled = Plan.ChangesNothing && Change.Tuned is not null ? Change.Tuned.detach() : Wide(Change.Base) + Delta();
        return Owned(rescaled, dataType ?? stored.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The nearest change of at most a given rank, by singular values.</summary>
    /// <param name="rank">1 or more; a change of lower rank keeps its own.</param>
    /// <returns>
    /// Float32 factors with the change's scale (1 for a dense change), singular values shared evenly between both. The caller disposes it.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="rank"/> is below 1.</exception>
    public TruncatedFactors Truncate(int rank)
    {
        if (rank < 1) throw new ArgumentOutOfRangeException(nameof(rank), rank, $"{Plan.Name}: a rank of 1 or more was wanted.");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return RankTruncation.Cut(Decomposed(), rank, Change.IsLowRank ? Change.Scale : 1);
    }

    // ΔW′ in float64.
    private Tensor Delta()
    {
        if (Change.IsLowRank)
        {
            var (a, b) = ExactFactors();
            return b.matmul(a).mul_(Change.Scale);
        }
        var delta = Wide(Change.Tuned!).sub_(Wide(Change.Base)).mul_(Plan.UniformFactor);
        if (!HasTriples) return delta;
        var (right, left) = TripleFactors();
        return delta.addmm_(left, right);
    }

    private (Tensor A, Tensor B) ExactFactors()
    {
        var (a, b) = (Wide(Change.A!), Wide(Change.B!).mul(Plan.UniformFactor));
        if (!HasTriples) return (a, b);
        // There are intruders, so there is a change, so the scale is not zero.
        var (right, left) = TripleFactors();
        return (cat([a, right], 0), cat([b, left.div_(Change.Scale)], 1));
    }

    // (λ − 1) Σ σ u vᵀ as factors.
    private (Tensor A, Tensor B) TripleFactors()
    {
        var spectrum = _spectrum!;                  // a plan with triples comes with them
        var device = spectrum.LeftVectors.device;
        var chosen = tensor(Plan.Triples.Select(index => (long)index).ToArray(), dtype: ScalarType.Int64, device: device);
        var lengths = Plan.Triples.Select(index => (Plan.Scale - 1) * spectrum.Finding.Triples[index].SingularValue).ToArray();
        var left = spectrum.LeftVectors.index_select(1, chosen).mul_(tensor(lengths, dtype: ScalarType.Float64, device: device));
        return (spectrum.RightVectors.index_select(1, chosen).t(), left);
    }

    private (Tensor U, Tensor S, Tensor Vh) Decomposed()
    {
        if (!Change.IsLowRank) return linalg.svd(Delta(), fullMatrices: false);
        var (a, b) = ExactFactors();
        return RankTruncation.Decompose(a, b);
    }

    private void EnsureLowRank()
    {
        if (Change.IsLowRank) return;
        throw new InvalidOperationException(
            $"{Plan.Name}: the change was given as a tuned matrix, so it has no factors; "
            + "take ToDense, or Truncate for the nearest factors of a given rank.");
    }

    private static Tensor Wide(Tensor tensor) => tensor.detach().to(ScalarType.Float64, copy: true);

    private static Tensor Owned(Tensor tensor, ScalarType dataType) => tensor.to(dataType, copy: true).contiguous();
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A weight change turned so that its matrix M is wide or square: (near, far) with near ≤ far, and widened to float64.</summary>
/// <remarks>
/// Singular vectors on the shorter side, "near", are the eigenvectors of M Mᵀ, the smaller of the two Gram matrices. For a tall W, M is Wᵀ:
/// near is then the right side of W. Tensors belong to the dispose scope in which this object is made.
/// </remarks>
internal sealed class OrientedChange
{
    private readonly Tensor? _tuned;
    private readonly Lazy<Tensor> _baseTimesFar;

    public OrientedChange(WeightChange change)
    {
        IsTransposed = change.Rows > change.Columns;
        _baseTimesFar = new Lazy<Tensor>(() => Base!.Times(FarFactor!));
        Base = Widen(change.Base);
        if (change.IsLowRank)
        {
            var (a, b) = (change.A!.detach().to(ScalarType.Float64), change.B!.detach().to(ScalarType.Float64).mul(change.Scale));
            (NearFactor, FarFactor) = IsTransposed ? (a.t(), b) : (b, a.t());
        }
        else
        {
            _tuned = Widen(change.Tuned!);
        }
    }

    /// <summary>Whether M is the transposed weight.</summary>
    public bool IsTransposed { get; }

    /// <summary>The base's M0 (near, far).</summary>
    public Tensor Base { get; }

    /// <summary>F (near, rank) with M = M0 + F Eᵀ; null for a dense change. Holds the scale.</summary>
    public Tensor? NearFactor { get; }

    /// <summary>E (far, rank) with M = M0 + F Eᵀ; null for a dense change.</summary>
    public Tensor? FarFactor { get; }

    /// <summary>M0 E (near, rank), for a change by factors; computed once, in the scope that asks first.</summary>
    public Tensor BaseTimesFar => _baseTimesFar.Value;

    public long Near => Base.shape[0];

    public long Far => Base.shape[1];

    /// <summary>M as one matrix.</summary>
    public Tensor Tuned => _tuned ?? Base.addmm(NearFactor!, FarFactor!.t());

    /// <summary>M − M0 as one matrix.</summary>
    public Tensor Difference => _tuned is null ? NearFactor!.matmul(FarFactor!.t()) : _tuned - Base;

    /// <summary>M X: (far, n) → (near, n).</summary>
    public Tensor Times(Tensor x) =>
        _tuned is not null ? _tuned.Times(x) : Base.Times(x).addmm_(NearFactor!, FarFactor!.t().matmul(x));

    /// <summary>Mᵀ X: (near, n) → (far, n).</summary>
    public Tensor TransposedTimes(Tensor x) =>
        _tuned is not null ? _tuned.t().Times(x) : Base.t().Times(x).addmm_(FarFactor!, NearFactor!.t().matmul(x));

    /// <summary>The leading left singular vectors of F Eᵀ (near, at most <paramref name="count"/>): where the change writes most.</summary>
    public Tensor WrittenDirections(int count)
    {
        using var scope = NewDisposeScope();
        var (q, near) = linalg.qr(NearFactor!);
        var (_, u) = linalg.eigh(near.matmul(FarFactor!.t().matmul(FarFactor!)).matmul(near.t()));      // ascending
        var written = Math.Min(u.shape[1], count);
        return q.matmul(u.narrow(1, u.shape[1] - written, written)).MoveToOuterDisposeScope();
    }

    /// <summary>⟨M0, F Eᵀ⟩, the sum of the products of their elements; for a change by factors.</summary>
    public double BaseDotDelta()
    {
        var product = BaseTimesFar;       // outlives this method
        using var scope = NewDisposeScope();
        return (product * NearFactor!).sum().ToDouble();
    }

    /// <summary>u_jᵀ (M − M0) v_j for paired columns u_j (near, n) and v_j (far, n).</summary>
    public double[] DeltaProjections(Tensor u, Tensor v)
    {
        using var scope = NewDisposeScope();
        return _tuned is null
            ? u.t().matmul(NearFactor!).mul_(v.t().matmul(FarFactor!)).sum(1L).ToDoubles()
            : (_tuned.Times(v) - Base.Times(v)).mul_(u).sum(0L).ToDoubles();
    }

    private Tensor Widen(Tensor weight)
    {
        var wide = weight.detach().to(ScalarType.Float64);
        return IsTransposed ? wide.t() : wide;
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A change as L·R, where R reads the input: s·B and A for factors, the identity and ΔW for a tuned matrix. In float64.</summary>
/// <remarks>Tensors belong to the dispose scope in which this object is made.</remarks>
internal sealed class ChangeParts
{
    private readonly WeightChange _change;
    private readonly Tensor? _gram;                  // LᵀL; null for the identity

    public ChangeParts(WeightChange change)
    {
        _change = change;
        if (change.IsLowRank)
        {
            Right = change.A!.detach().to(ScalarType.Float64);
            Left = change.B!.detach().to(ScalarType.Float64).mul(change.Scale);
            _gram = Left.t().matmul(Left);
        }
        else
        {
            Right = change.Tuned!.detach().to(ScalarType.Float64) - change.Base.detach().to(ScalarType.Float64);
        }
        IsZero = Square(Right) == 0;
    }

    /// <summary>R (rank or rows, columns).</summary>
    public Tensor Right { get; }

    /// <summary>L (rows, rank); null for the identity.</summary>
    public Tensor? Left { get; }

    /// <summary>Whether there is no change at all.</summary>
    public bool IsZero { get; }

    /// <summary>What it means to put R′ in the place of R, as numbers.</summary>
    public BalancePlan Plan(double strength, Tensor right, Tensor taskMoment, Tensor retentionMoment)
    {
        var step = right - Right;
        var delta = Left is null ? right : Left.matmul(right);
        return new BalancePlan
        {
            Name = _change.Name,
            Strength = strength,
            ChangesNothing = ReferenceEquals(right, Right),
            Frobenius = (_change.Base.detach().to(ScalarType.Float64) + delta).norm().ToDouble(),
            DeltaFrobenius = Math.Sqrt(Square(right)),
            Distance = Math.Sqrt(Square(step)),
            TaskShift = Share(Effect(step, taskMoment), Effect(Right, taskMoment), none: 0),
            RetentionLeft = Share(Effect(right, retentionMoment), Effect(Right, retentionMoment), none: 1),
        };
    }

    // ‖L R‖².
    private double Square(Tensor right) => Inner(right, right);

    // E‖L R x‖² = tr(L R C Rᵀ Lᵀ).
    private double Effect(Tensor right, Tensor moment) => Inner(right.matmul(moment), right);

    // Rounding may leave the square of a vanishing length a little below zero.
    private double Inner(Tensor one, Tensor other) => Math.Max(0, (one * (_gram is null ? other : _gram.matmul(other))).sum().ToDouble());

    private static double Share(double part, double whole, double none) => whole == 0 ? none : Math.Sqrt(part / whole);
}

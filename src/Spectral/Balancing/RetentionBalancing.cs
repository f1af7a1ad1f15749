using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>Takes out of a weight change what disturbs old inputs and keeps what new ones need, in closed form.</summary>
/// <remarks>
/// <para>Immutable and thread-safe. With second moments C_t = E[xxᵀ] of a layer's inputs on task rows and C_r on texts to be retained,
/// ΔW′ = ΔW·C_t·(C_t + μ·C_r)⁻¹ minimises E_t‖(ΔW′ − ΔW)x‖² + μ·E_r‖ΔW′x‖². It is a right multiplication: factors keep their rank, A′ = A·M
/// with B unchanged. Source: the regression mean of base and tuned model (arXiv 2212.09849, section 3), read as a repair.</para>
/// <para>Both moments are first shrunk towards a multiple of the identity, each by its own size: C + ρ·tr(C)/d·I. So few rows are enough, any
/// moment can be inverted, equal moments stay equal, and one of zero stays zero. What neither distribution uses shrinks as the whole does, by
/// about 1/(1 + μ).</para>
/// </remarks>
public sealed record RetentionBalancing
{
    // Nothing of a moment that is symmetric in exact arithmetic is further off than rounding.
    private const double SymmetryTolerance = 1e-6;

    /// <summary>μ, how much a disturbance of retained inputs counts against one of task inputs: 0 leaves the change as it is, large values remove it.</summary>
    /// <value>0 or more; default 0.5.</value>
    public double Strength { get; init; } = 0.5;

    /// <summary>ρ, how much of the identity is added to each moment, in units of its mean eigenvalue.</summary>
    /// <value>From 1e-6 to 1; default 0.01.</value>
    public double Shrinkage { get; init; } = 0.01;

    /// <summary>Everything that is wrong with these settings, each as one sentence; empty when all is well.</summary>
    public IEnumerable<string> Faults()
    {
        if (!(Strength >= 0 && double.IsFinite(Strength)))
            yield return $"Strength is {Strength}; use 0 or more: 0 leaves the change as it is (usual: 0.1 to 10).";
        if (Shrinkage is not (>= 1e-6 and <= 1)) yield return $"Shrinkage is {Shrinkage}; use 1e-6 to 1 (usual: 0.01).";
    }

    /// <summary>Balances one change.</summary>
    /// <param name="change">The change; must outlive what is returned.</param>
    /// <param name="taskMoment">C_t (columns, columns), symmetric; computed with in float64.</param>
    /// <param name="retentionMoment">C_r, likewise.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="ArgumentException">
    /// A setting is out of its range, or a moment is of another shape, not symmetric, not finite, or not the mean of any xxᵀ.
    /// </exception>
    public BalancedChange Apply(WeightChange change, Tensor taskMoment, Tensor retentionMoment)
    {
        ArgumentNullException.ThrowIfNull(change);
        var faults = Faults().ToList();
        if (faults.Count > 0) throw new ArgumentException(string.Join(" ", faults));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var task = Checked(change, "task", taskMoment);
        var retention = Checked(change, "retention", retentionMoment);
        var parts = new ChangeParts(change);
        var isUntouched = Strength == 0 || parts.IsZero || MeanEigenvalue(retention) == 0;
        var right = isUntouched ? parts.Right : Balance(change.Name, parts.Right, task, retention);
        return new BalancedChange(change, isUntouched ? null : right.alias(), parts.Plan(Strength, right, task, retention));
    }

    // R′ = R·C_t·(C_t + μ·C_r)⁻¹, both sides divided by 1 + μ and by the moments' size: neither may leave the range of numbers.
    private Tensor Balance(string name, Tensor right, Tensor task, Tensor retention)
    {
        var (taskMean, retentionMean) = (MeanEigenvalue(task), MeanEigenvalue(retention));
        var unit = Math.Max(taskMean, retentionMean);
        var wanted = Shrunk(task, taskMean, unit).mul_(1 / (1 + Strength));
        var all = Shrunk(retention, retentionMean, unit).mul_(Strength / (1 + Strength)).add_(wanted);
        var (lower, info) = linalg.cholesky_ex(all);
        if (info.item<int>() != 0)
            throw new ArgumentException($"{name}: the moments have negative eigenvalues, which no mean of xxᵀ has. Collect them in float64, over the inputs of this matrix.");
        return wanted.matmul(right.t()).cholesky_solve(lower).t();
    }

    private Tensor Shrunk(Tensor moment, double mean, double unit)
    {
        var shrunk = moment.div(unit);
        shrunk.diagonal().add_(Shrinkage * (mean / unit));
        return shrunk;
    }

    private static Tensor Checked(WeightChange change, string role, Tensor moment)
    {
        ArgumentNullException.ThrowIfNull(moment);
        WeightChange.CheckMatrix(change.Name, $"the {role} moment", moment);
        if (moment.shape[0] != change.Columns || moment.shape[1] != change.Columns)
            throw new ArgumentException(
                $"{change.Name}: the {role} moment is {WeightChange.Shape(moment)}; a matrix with {change.Columns} inputs wants ({change.Columns}, {change.Columns}).");
        var wide = moment.detach().to(change.Base.device).to(ScalarType.Float64);
        var largest = wide.abs().max().ToDouble();
        if ((wide - wide.t()).abs().max().ToDouble() > SymmetryTolerance * largest)
            throw new ArgumentException($"{change.Name}: the {role} moment is not symmetric, as every mean of xxᵀ is. Check its orientation and origin.");
        // Cholesky sees the sum of both only.
        if (wide.diagonal().min().ToDouble() < 0)
            throw new ArgumentException($"{change.Name}: the {role} moment has negative numbers on its diagonal, which no mean of xxᵀ has.");
        return wide;
    }

    private static double MeanEigenvalue(Tensor moment) => moment.diagonal().mean().ToDouble();
}

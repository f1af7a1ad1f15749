using FsCheck;
using FsCheck.Fluent;
using MathNet.Numerics.LinearAlgebra;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Balancing;

public sealed class RetentionBalancingTests : IDisposable
{
    private const int CaseCount = 100;

    private readonly IDisposable _scope = NewDisposeScope();

    public sealed record Case(int Rows, int Columns, int Rank, bool IsDense, int TaskVectors, int RetentionVectors, double Strength, double Size, int Seed);

    // Moments of fewer vectors than the matrix has columns have no inverse.
    private static Gen<Case> Cases =>
        from rows in Gen.Choose(1, 30)
        from columns in Gen.Choose(1, 30)
        from rank in Gen.Choose(1, 6)
        from isDense in Gen.Elements(true, false)
        from taskVectors in Gen.Choose(1, 60)
        from retentionVectors in Gen.Choose(1, 60)
        from strength in Gen.Elements(1e-6, 0.1, 0.5, 3.0, 1e6, 1e300)
        from size in Gen.Elements(1e-60, 1e-3, 1.0, 1e50)
        from seed in Gen.Choose(1, 1_000_000)
        select new Case(rows, columns, rank, isDense, taskVectors, retentionVectors, strength, size, seed);

    private static void ForAll(Func<Case, bool> holds) =>
        Prop.ForAll(Cases.ToArbitrary(), test =>
        {
            using var scope = NewDisposeScope();
            return holds(test);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(CaseCount).WithReplay(1, 1, 0));

    [Fact]
    public void Apply_StrengthZero_ReturnsTheInputToTheBit() => ForAll(test => IsInput(Change(test, float32), test with { Strength = 0 }, Moment(test, isTask: false)));

    [Fact]
    public void Apply_RetentionMomentZero_ReturnsTheInputToTheBit() =>
        ForAll(test => IsInput(Change(test, float32), test, zeros([test.Columns, test.Columns], dtype: float64, device: CPU)));

    [Fact]
    public void Apply_NoChange_ReturnsTheInputToTheBit()
    {
        var weight = Spectra.Normal(4, 5, 1).to(float32);
        var test = new Case(4, 5, 2, true, 9, 9, 0.5, 1, 3);

        Assert.True(IsInput(WeightChange.Dense("w", weight, weight.clone()), test, Moment(test, isTask: false)));
        Assert.True(IsInput(WeightChange.LowRank("w", weight, ones([2, 5], dtype: float32, device: CPU), zeros([4, 2], dtype: float32, device: CPU), 2), test, Moment(test, isTask: false)));
    }

    [Fact]
    public void Apply_EqualMoments_ShrinksUniformlyByOnePlusStrength() => ForAll(test =>
    {
        var change = Change(test, float64);
        var moment = Moment(test, isTask: true);

        using var balanced = new RetentionBalancing { Strength = test.Strength }.Apply(change, moment, moment);

        return IsNear(Delta(change) / (1 + test.Strength), Delta(balanced, change), 1e-10, Delta(change));
    });

    [Fact]
    public void Apply_AnyMoments_IsTheFormulaAsMathNetSolvesIt() => ForAll(test =>
    {
        var change = Change(test, float64);
        var settings = new RetentionBalancing { Strength = Math.Min(test.Strength, 1e6) };

        using var balanced = settings.Apply(change, Moment(test, isTask: true), Moment(test, isTask: false));

        var (task, retention) = (Shrunk(test, isTask: true, settings), Shrunk(test, isTask: false, settings));
        var delta = Matrix<double>.Build.DenseOfArray(Delta(change).ToMatrix());
        // X S = ΔW C_t, transposed: S Xᵀ = C_t ΔWᵀ.
        var expected = (task + (settings.Strength * retention)).QR().Solve(task * delta.Transpose()).Transpose();
        return IsNear(from_array(expected.ToArray()), Delta(balanced, change), 1e-8, Delta(change));
    });

    [Fact]
    public void Apply_AnyMoments_NoStepInAnyDirectionIsBetter() => ForAll(test =>
    {
        var change = Change(test, float64);
        var settings = new RetentionBalancing { Strength = Math.Min(test.Strength, 10) };
        var (task, retention) = (from_array(Shrunk(test, true, settings).ToArray()), from_array(Shrunk(test, false, settings).ToArray()));
        var size = Math.Max(task.diagonal().mean().item<double>(), retention.diagonal().mean().item<double>());
        (task, retention) = (task / size, retention / size);

        using var balanced = settings.Apply(change, Moment(test, isTask: true), Moment(test, isTask: false));

        var (before, found) = (Delta(change), Delta(balanced, change));
        double Objective(Tensor delta)
        {
            var step = delta - before;
            return (step.matmul(task) * step).sum().item<double>() + (settings.Strength * (delta.matmul(retention) * delta).sum().item<double>());
        }
        // The gradient vanishes, and because the objective is strictly convex every step makes it larger.
        var gradient = (found - before).matmul(task) + (settings.Strength * found.matmul(retention));
        var scale = before.norm().item<double>();
        var isFlat = gradient.norm().item<double>() <= 1e-10 * scale * Math.Max(1, task.norm().item<double>() + retention.norm().item<double>());
        var best = Objective(found);
        return isFlat && Enumerable.Range(0, 5).All(n =>
        {
            var direction = Spectra.Normal(test.Rows, test.Columns, test.Seed + n);
            return Objective(found + (direction * (1e-2 * scale / direction.norm().item<double>()))) > best;
        });
    });

    [Fact]
    public void ToFactors_LowRankChange_KeepsRankScaleAndB() => ForAll(test =>
    {
        var change = Change(test with { IsDense = false }, float32);

        using var balanced = Balance(change, test);
        using var factors = balanced.ToFactors();

        return factors.Rank == test.Rank && factors.Scale == change.Scale && factors.A.shape.SequenceEqual(change.A!.shape)
            && factors.A.dtype == float32 && factors.B.data<float>().ToArray().SequenceEqual(change.B!.data<float>().ToArray());
    });

    [Fact]
    public void Plan_AnyMoments_SaysWhatTheMatricesSay() => ForAll(test =>
    {
        var change = Change(test, float64);
        var (task, retention) = (Moment(test, isTask: true), Moment(test, isTask: false));

        using var balanced = Balance(change, test);

        var (before, after, plan) = (Delta(change), Delta(balanced, change), balanced.Plan);
        double Effect(Tensor delta, Tensor moment) => Math.Sqrt((delta.matmul(moment) * delta).sum().item<double>());
        var scale = Math.Max(before.norm().item<double>(), change.Base.norm().item<double>());
        return Math.Abs(plan.DeltaFrobenius - after.norm().item<double>()) <= 1e-9 * scale
            && Math.Abs(plan.Distance - (after - before).norm().item<double>()) <= 1e-9 * scale
            && Math.Abs(plan.Frobenius - (change.Base + after).norm().item<double>()) <= 1e-9 * scale
            && Math.Abs(plan.TaskShift - (Effect(after - before, task) / Effect(before, task))) <= 1e-6
            && Math.Abs(plan.RetentionLeft - (Effect(after, retention) / Effect(before, retention))) <= 1e-6
            && plan.RetentionLeft <= 1 + 1e-9 && plan.TaskShift <= 1 + 1e-9;
    });

    [Fact]
    public void Apply_DirectionThatOnlyRetentionUses_IsRemovedAndTheTaskDirectionStays()
    {
        // Inputs 0 and 1 carry the task, 2 and 3 what is to be retained: at hand without any solver, where shrinkage is next to nothing.
        var task = diag(tensor([1.0, 1, 0, 0], dtype: float64, device: CPU));
        var retention = diag(tensor([0.0, 0, 1, 1], dtype: float64, device: CPU));
        var weight = zeros([1, 4], dtype: float64, device: CPU);
        var change = WeightChange.Dense("w", weight, tensor([1.0, 2, 3, 4], [1, 4], dtype: float64, device: CPU));

        using var balanced = new RetentionBalancing { Strength = 1, Shrinkage = 1e-6 }.Apply(change, task, retention);

        double[] expected = [1, 2, 0, 0];
        foreach (var (wanted, found) in expected.Zip(balanced.ToDense().data<double>().ToArray())) Assert.Equal(wanted, found, 1e-5);
        Assert.Equal(0, balanced.Plan.TaskShift, 1e-5);
        Assert.Equal(0, balanced.Plan.RetentionLeft, 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(40)]
    public void Truncate_ToARank_LosesTheSmallestSingularValues(int rank)
    {
        foreach (var isDense in (bool[])[true, false])
        {
            var test = new Case(9, 12, 4, isDense, 40, 40, 0.5, 1, 11);
            var change = Change(test, float64);
            using var balanced = Balance(change, test);

            using var whole = balanced.Truncate(rank);
            using var difference = balanced.TruncateDifference(rank)!;

            AssertCut(Delta(balanced, change), whole, rank);
            AssertCut(Delta(balanced, change) - Delta(change), difference, rank);
            Assert.Equal(isDense ? 1 : change.Scale, whole.Factors.Scale);
        }
    }

    [Fact]
    public void ToDense_EveryForm_IsTheSameMatrix()
    {
        var test = new Case(9, 12, 4, false, 40, 40, 0.5, 1, 12);
        var change = Change(test, float64);
        using var balanced = Balance(change, test);

        using var factors = balanced.ToFactors();

        var tuned = balanced.ToDense();
        Assert.True(IsNear(change.Base + factors.ToDense(), tuned, 1e-12, tuned));
        Assert.True(IsNear(change.Base + Delta(change) + balanced.ToDifference(float64)!, tuned, 1e-12, tuned));
    }

    [Fact]
    public void ToFactors_DenseChange_SaysWhatToTake()
    {
        var test = new Case(4, 5, 2, true, 9, 9, 0.5, 1, 3);
        using var balanced = Balance(Change(test, float32), test);

        Assert.Contains("take ToDense, or Truncate", Assert.Throws<InvalidOperationException>(balanced.ToFactors).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => balanced.Truncate(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => balanced.TruncateDifference(0));
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Faults_StrengthAndShrinkageOutOfRange_ReportsBoth(double bad)
    {
        var faults = new RetentionBalancing { Strength = bad, Shrinkage = bad }.Faults().ToList();

        Assert.Equal(2, faults.Count);
        Assert.StartsWith($"Strength is {bad}; use 0 or more", faults[0], StringComparison.Ordinal);
        Assert.StartsWith($"Shrinkage is {bad}; use 1e-6 to 1", faults[1], StringComparison.Ordinal);
    }

    public static TheoryData<string, string> BadMoments => new()
    {
        { "shape", "the task moment is (3, 3); a matrix with 5 inputs wants (5, 5)" },
        { "not finite", "holds 1 values that are NaN or infinite" },
        { "not symmetric", "the task moment is not symmetric" },
        { "negative diagonal", "negative numbers on its diagonal" },
        { "indefinite", "the moments have negative eigenvalues" },
    };

    [Theory]
    [MemberData(nameof(BadMoments))]
    public void Apply_MatrixThatIsNoMoment_SaysWhy(string fault, string message)
    {
        var test = new Case(4, 5, 2, true, 9, 9, 0.5, 1, 3);
        var moment = Moment(test, isTask: true);
        switch (fault)
        {
            case "shape": moment = eye(3, dtype: float64, device: CPU); break;
            case "not finite": moment[2, 2] = double.NaN; break;
            case "not symmetric": moment[0, 1] = moment[0, 1] + 1; break;
            case "negative diagonal": moment[3, 3] = -1.0; break;
            default: moment[0, 1] = 1e3; moment[1, 0] = 1e3; break;
        }

        var error = Assert.Throws<ArgumentException>(() => new RetentionBalancing().Apply(Change(test, float32), moment, Moment(test, isTask: false)));

        Assert.StartsWith("w: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _scope.Dispose();

    private static BalancedChange Balance(WeightChange change, Case test) =>
        new RetentionBalancing { Strength = test.Strength }.Apply(change, Moment(test, isTask: true), Moment(test, isTask: false));

    private static bool IsInput(WeightChange change, Case test, Tensor retention)
    {
        using var balanced = new RetentionBalancing { Strength = test.Strength }.Apply(change, Moment(test, isTask: true), retention);
        if (!balanced.Plan.ChangesNothing || balanced.Plan.Distance != 0 || balanced.Plan.TaskShift != 0) return false;
        if (balanced.ToDifference(float32) is not null || balanced.TruncateDifference(1) is not null) return false;
        if (!change.IsLowRank) return balanced.ToDense().data<float>().ToArray().SequenceEqual(change.Tuned!.data<float>().ToArray());
        using var factors = balanced.ToFactors();
        return factors.A.data<float>().ToArray().SequenceEqual(change.A!.data<float>().ToArray())
            && factors.B.data<float>().ToArray().SequenceEqual(change.B!.data<float>().ToArray());
    }

    private static WeightChange Change(Case test, ScalarType type)
    {
        var weight = Spectra.Normal(test.Rows, test.Columns, test.Seed).to(type);
        var (a, b) = (Spectra.Normal(test.Rank, test.Columns, test.Seed + 1).to(type), Spectra.Normal(test.Rows, test.Rank, test.Seed + 2).to(type));
        return test.IsDense ? WeightChange.Dense("w", weight, weight + b.matmul(a)) : WeightChange.LowRank("w", weight, a, b, 0.25);
    }

    // Vectors whose sizes differ widely from direction to direction, as those inside a network do.
    private static Tensor Moment(Case test, bool isTask)
    {
        var (count, seed) = isTask ? (test.TaskVectors, test.Seed + 3) : (test.RetentionVectors, test.Seed + 4);
        var sizes = logspace(0, -3, test.Columns, dtype: float64, device: CPU);
        var vectors = Spectra.Normal(count, test.Columns, seed) * sizes;
        return vectors.t().matmul(vectors) * (test.Size / count);
    }

    private static Matrix<double> Shrunk(Case test, bool isTask, RetentionBalancing settings)
    {
        var moment = Matrix<double>.Build.DenseOfArray(Moment(test, isTask).ToMatrix());
        return moment + (Matrix<double>.Build.DenseIdentity(test.Columns) * (settings.Shrinkage * moment.Diagonal().Average()));
    }

    private static Tensor Delta(WeightChange change) =>
        change.IsLowRank ? change.B!.to(float64).matmul(change.A!.to(float64)) * change.Scale : change.Tuned!.to(float64) - change.Base.to(float64);

    private static Tensor Delta(BalancedChange balanced, WeightChange change)
    {
        if (!change.IsLowRank) return balanced.ToDense(float64) - change.Base.to(float64);
        using var factors = balanced.ToFactors();
        return factors.ToDense();
    }

    private static void AssertCut(Tensor exact, TruncatedFactors cut, int rank)
    {
        var left = Math.Sqrt(linalg.svdvals(exact).data<double>().Skip(rank).Sum(value => value * value));
        Assert.Equal(left, cut.Error, 1e-6);
        Assert.Equal((exact - cut.Factors.ToDense()).norm().item<double>(), cut.Error, 1e-4);
        Assert.Equal(cut.Error / exact.norm().item<double>(), cut.RelativeError, 1e-6);
        Assert.True(cut.Factors.Rank <= rank);
    }

    private static bool IsNear(Tensor expected, Tensor actual, double tolerance, Tensor scale) =>
        (expected - actual).abs().max().item<double>() <= tolerance * scale.abs().max().item<double>();
}

using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Detection;

/// <summary>The fast path decides as complete decompositions do, on spectra of every kind.</summary>
public class FastAgainstCompleteTests
{
    // The same cases at every run.
    private const int CaseCount = 200;
    private static readonly double[] Epsilons = [0.1, 0.3, 0.5, 0.7, 0.9];

    public sealed record Case(string Kind, int Near, int Far, bool IsTall, int Rank, double Strength, int TopK, SingularSide Side, bool IsDense, bool IsPartial, int Seed)
    {
        public long Rows => IsTall ? Far : Near;

        public long Columns => IsTall ? Near : Far;
    }

    [Fact]
    public void Analyze_RandomSpectrum_DecidesAsCompleteDecompositions()
    {
        var evidence = new Dictionary<DecisionEvidence, int>();
        Prop.ForAll(Cases.ToArbitrary(), test => Agree(test, evidence)).Check(Config.QuickThrowOnFailure.WithMaxTest(CaseCount).WithReplay(1, 1, 0));

        // Every way to a decision was taken, and the fast ones most often.
        Assert.All(Enum.GetValues<DecisionEvidence>(), kind => Assert.True(evidence.GetValueOrDefault(kind) > 0, $"no decision by {kind}"));
        Assert.True(evidence[DecisionEvidence.CompleteDecomposition] < evidence.Values.Sum() / 2, string.Join(", ", evidence));
    }

    private static Gen<Case> Cases =>
        from kind in Gen.Elements(Spectra.Kinds)
        from near in Gen.Choose(30, 60)
        from far in Gen.Choose(0, 40)
        from isTall in Gen.Elements(true, false)
        from rank in Gen.Choose(1, 6)
        from strength in Gen.Elements(1e-3, 0.1, 0.5, 2.0)
        from topK in Gen.Choose(1, 7)
        from side in Gen.Elements(SingularSide.Left, SingularSide.Right)
        from isDense in Gen.Elements(true, false)
        from isPartial in Gen.Frequency((3, Gen.Constant(false)), (1, Gen.Constant(true)))
        from seed in Gen.Choose(1, 1_000_000)
        select new Case(kind, near, near + far, isTall, rank, strength, topK, side, isDense, isPartial, seed);

    private static bool Agree(Case test, Dictionary<DecisionEvidence, int> evidence)
    {
        using var scope = NewDisposeScope();
        var weight = Spectra.Matrix(test.Rows, test.Columns, Spectra.Values(test.Kind, test.Near, test.Seed), test.Seed).to(float32);
        var a = Spectra.Normal(test.Rank, test.Columns, test.Seed + 2).to(float32);
        var b = (Spectra.Normal(test.Rows, test.Rank, test.Seed + 3) * (test.Strength / test.Near)).to(float32);
        var change = test.IsDense
            ? WeightChange.Dense("w", weight, weight + b.matmul(a))
            : WeightChange.LowRank("w", weight, a, b, 1);
        var settings = new SpectralSettings { TopK = [test.TopK], Epsilon = Epsilons, Side = test.Side };
        var plan = test.IsPartial ? new BasisPlan(CompleteUpTo: 8, RectangularUpTo: 8, Leading: 12, Fewest: 0) : BasisPlan.Default;
        using var fast = new IntruderDetector(settings, plan).Analyze(change);
        using var complete = new IntruderDetector(settings with { Method = SpectralMethod.Complete }).Analyze(change);

        foreach (var kind in fast.Finding.Triples.SelectMany(triple => Epsilons.Select(triple.Evidence)))
            evidence[kind] = evidence.GetValueOrDefault(kind) + 1;
        foreach (var (one, other) in fast.Finding.Triples.Zip(complete.Finding.Triples))
            Assert.True(Agree(one, other), $"fast: {one}\ncomplete: {other}");
        return true;
    }

    private static bool Agree(SingularTriple fast, SingularTriple complete) =>
        Math.Abs(fast.SingularValue - complete.SingularValue) <= 1e-8
        && Epsilons.All(epsilon => fast.Verdict(epsilon) == complete.Verdict(epsilon))
        && (fast.CosineUpperBound > fast.CosineLowerBound || Math.Abs(fast.MaxAbsCosine - complete.MaxAbsCosine) <= 2e-5);
}

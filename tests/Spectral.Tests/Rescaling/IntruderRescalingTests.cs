using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Rescaling;

public sealed class IntruderRescalingTests : IDisposable
{
    private readonly IDisposable _scope;
    private readonly Tensor _weight;
    private readonly WeightChange _lowRank;
    private readonly WeightChange _dense;
    private readonly ChangeSpectrum _spectrum;
    private readonly ChangeSpectrum _denseSpectrum;

    public IntruderRescalingTests()
    {
        _scope = NewDisposeScope();
        _weight = Spectra.Matrix(50, 60, Spectra.Values("power law", 50, 1), 1).to(float32);
        var (a, b) = (Spectra.Orthonormal(60, 3, 2).t().contiguous().to(float32), (Spectra.Orthonormal(50, 3, 3) * 0.9).to(float32));
        _lowRank = WeightChange.LowRank("w", _weight, a, b, 0.5);
        _dense = WeightChange.Dense("w", _weight, _weight + (0.5f * b.matmul(a)));
        _spectrum = new IntruderDetector().Analyze(_lowRank);
        _denseSpectrum = new IntruderDetector().Analyze(_dense);
        Assert.True(_spectrum.Finding.Intruders.Count >= 2, "the tests need two intruders");
    }

    public static TheoryData<RescalingKind> Kinds => [.. Enum.GetValues<RescalingKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Apply_ScaleOne_ReturnsTheInputToTheBit(RescalingKind kind)
    {
        var rescaling = new IntruderRescaling { Kind = kind, Scale = 1 };

        using var factors = rescaling.Apply(_spectrum).ToFactors();
        using var tuned = rescaling.Apply(_denseSpectrum).ToDense();

        Assert.Equal(_lowRank.A!.data<float>().ToArray(), factors.A.data<float>().ToArray());
        Assert.Equal(_lowRank.B!.data<float>().ToArray(), factors.B.data<float>().ToArray());
        Assert.Equal(0.5, factors.Scale);
        Assert.Equal(_dense.Tuned!.data<float>().ToArray(), tuned.data<float>().ToArray());
        Assert.Null(rescaling.Apply(_spectrum).ToCorrection());
        Assert.Equal(0, rescaling.Apply(_spectrum).Plan.Distance);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.7)]
    [InlineData(2)]
    public void ToFactors_AllIntruders_IsTheFormulaAtRankPlusTheirNumber(double scale)
    {
        var rescaled = new IntruderRescaling { Kind = RescalingKind.All, Scale = scale }.Apply(_spectrum);

        using var factors = rescaled.ToFactors();

        Assert.Equal(3 + _spectrum.Finding.Intruders.Count, factors.Rank);
        var (u, s, vh) = linalg.svd(_weight.to(float64) + Delta(_lowRank), fullMatrices: false);
        var expected = Delta(_lowRank);
        foreach (var j in _spectrum.Finding.Intruders)
            expected = expected + ((scale - 1) * s[j] * u.narrow(1, j, 1).matmul(vh.narrow(0, j, 1)));
        AssertNear(expected, factors.ToDense(), 1e-6);
        AssertNear(_weight.to(float64) + expected, rescaled.ToDense(float64), 1e-6);
        using var correction = rescaled.ToCorrection()!;
        AssertNear(expected - Delta(_lowRank), correction.ToDense(), 1e-6);
        Assert.Equal(expected.norm().item<double>(), rescaled.Plan.DeltaFrobenius, 1e-6);
    }

    [Fact]
    public void ToFactors_Top_RemovesTheFirstIntruderFromTheTunedMatrix()
    {
        var top = _spectrum.Finding.Intruders[0];

        using var after = new IntruderRescaling { Kind = RescalingKind.Top, Scale = 0 }.Apply(_spectrum).ToDense(float64);

        var values = linalg.svdvals(after).data<double>().ToArray();
        var expected = _spectrum.Finding.SingularValues.Where((_, j) => j != top).ToArray();
        foreach (var (wanted, found) in expected.Zip(values)) Assert.Equal(wanted, found, 1e-6);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(20)]
    public void Truncate_ToARank_LosesTheSmallestSingularValues(int rank)
    {
        foreach (var spectrum in (ChangeSpectrum[])[_spectrum, _denseSpectrum])
        {
            var rescaled = new IntruderRescaling { Kind = RescalingKind.All, Scale = 0.4 }.Apply(spectrum);
            var exact = rescaled.ToDense(float64) - _weight;

            using var truncated = rescaled.Truncate(rank);

            var left = linalg.svdvals(exact).data<double>().Skip(rank).Sum(value => value * value);
            Assert.Equal(Math.Sqrt(left), truncated.Error, 1e-6);
            Assert.Equal((exact - truncated.Factors.ToDense()).norm().item<double>(), truncated.Error, 1e-5);
            Assert.Equal(truncated.Error / exact.norm().item<double>(), truncated.RelativeError, 1e-6);
            Assert.True(truncated.Factors.Rank <= rank);
        }
    }

    [Fact]
    public void Plan_Uniform_MovesAsFarAsItsCounterpart()
    {
        foreach (var counterpart in (RescalingKind[])[RescalingKind.All, RescalingKind.Top])
        {
            var triples = new IntruderRescaling { Kind = counterpart, Scale = 0.9 }.Apply(_spectrum).Plan;
            var uniform = new IntruderRescaling { Kind = RescalingKind.Uniform, Counterpart = counterpart, Scale = 0.9 }.Apply(_spectrum);

            using var factors = uniform.ToFactors();

            Assert.Equal(triples.Distance, (factors.ToDense() - Delta(_lowRank)).norm().item<double>(), 1e-6);
            Assert.Equal(triples.Distance, uniform.Plan.Distance, 1e-9);
            Assert.InRange(uniform.Plan.UniformFactor, 0, 0.99);
            Assert.Equal(3, factors.Rank);
        }
    }

    [Fact]
    public void Plan_UniformBeyondTheWholeChange_IsClippedAtNothing()
    {
        // Scaled intruders hold what they had of the base too, so removing all of them moves further than removing the change.
        var finding = _spectrum.Finding with { DeltaFrobenius = 0.1 };

        var plan = Assert.Single(new IntruderRescaling { Kind = RescalingKind.Uniform, Scale = 0 }.Plan([finding]));

        Assert.Equal((0.0, true, false), (plan.UniformFactor, plan.IsClipped, plan.NeedsGrowth));
    }

    [Theory]
    [InlineData(RescalingKind.Uniform)]
    [InlineData(RescalingKind.UniformGlobal)]
    public void Plan_FactorMatch_TakesTheScaleItself(RescalingKind kind)
    {
        foreach (var scale in new[] { 0, 0.3, 1, 2 })
        {
            var plan = new IntruderRescaling { Kind = kind, Match = RescalingMatch.Factor, Scale = scale }.Apply(_spectrum).Plan;

            Assert.Equal((scale, scale * _spectrum.Finding.DeltaFrobenius, scale == 1), (plan.UniformFactor, plan.DeltaFrobenius, plan.ChangesNothing));
        }
    }

    [Fact]
    public void Plan_NormMatch_HasTheCounterpartsNormAndSaysWhenItGrows()
    {
        var grows = new List<bool>();
        foreach (var scale in (double[])[0, 0.3, 0.7, 2])
        {
            var triples = new IntruderRescaling { Kind = RescalingKind.All, Scale = scale }.Apply(_spectrum).Plan;
            var uniform = new IntruderRescaling { Kind = RescalingKind.Uniform, Match = RescalingMatch.Norm, Scale = scale }.Apply(_spectrum).Plan;

            Assert.Equal(triples.DeltaFrobenius, uniform.DeltaFrobenius, 1e-9);
            Assert.Equal(triples.DeltaFrobenius > _spectrum.Finding.DeltaFrobenius, uniform.NeedsGrowth);
            grows.Add(uniform.NeedsGrowth);
        }
        Assert.True(grows[^1]);
    }

    [Fact]
    public void ApplyToAll_UniformGlobal_HasOneFactorAndTheSameTotalDistance()
    {
        using var other = new IntruderDetector().Analyze(WeightChange.LowRank("v", _weight, _lowRank.A!, _lowRank.B!, 0.8));
        ChangeSpectrum[] spectra = [_spectrum, other];

        var triples = new IntruderRescaling { Kind = RescalingKind.All, Scale = 0.9 }.ApplyToAll(spectra);
        var global = new IntruderRescaling { Kind = RescalingKind.UniformGlobal, Scale = 0.9 }.ApplyToAll(spectra);

        Assert.Equal(global[0].Plan.UniformFactor, global[1].Plan.UniformFactor);
        Assert.Equal(triples.Sum(one => Math.Pow(one.Plan.Distance, 2)), global.Sum(one => Math.Pow(one.Plan.Distance, 2)), 1e-9);
        var each = new IntruderRescaling { Kind = RescalingKind.Uniform, Scale = 0.9 }.ApplyToAll(spectra);
        Assert.NotEqual(each[0].Plan.UniformFactor, each[1].Plan.UniformFactor, 1e-6);
    }

    [Fact]
    public void Plan_Neighbour_IsTheNearestPretrainedOneAndTheLowerOfTwo()
    {
        var finding = Finding((4, 0.9), (3, 0.1), (2, 0.9), (0.5, 0.1));

        var plan = Assert.Single(new IntruderRescaling { Kind = RescalingKind.Neighbour, Scale = 0.5 }.Plan([finding]));

        Assert.Equal([0], plan.Triples);        // 4 and 2 are equally near to 3
        Assert.Equal(2, plan.Distance, 1e-12);
    }

    [Fact]
    public void Plan_NeighbourWithoutAPretrainedDirection_IsNotMeasurable()
    {
        var plan = Assert.Single(new IntruderRescaling { Kind = RescalingKind.Neighbour }.Plan([Finding((4, 0.1), (3, 0.2))]));

        Assert.False(plan.IsMeasurable);
        Assert.True(plan.ChangesNothing);
    }

    [Fact]
    public void Plan_NoIntruder_ChangesNothing()
    {
        foreach (var kind in Enum.GetValues<RescalingKind>())
        {
            var plan = Assert.Single(new IntruderRescaling { Kind = kind, Scale = 0 }.Plan([Finding((4, 0.9), (3, 0.8))]));
            Assert.True(plan is { ChangesNothing: true, IsMeasurable: true, UniformFactor: 1 }, plan.ToString());
        }
    }

    [Fact]
    public void Plan_ThresholdAndCount_ReplaceTheFirstOnes()
    {
        var finding = Finding((4, 0.6), (3, 0.1), (2, 0.2));

        Assert.Equal([1, 2], Assert.Single(new IntruderRescaling { Kind = RescalingKind.All }.Plan([finding])).Triples);
        Assert.Equal([0, 1], Assert.Single(new IntruderRescaling { Kind = RescalingKind.All, Epsilon = 0.7, TopK = 2 }.Plan([finding])).Triples);
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Apply_ScaleOutOfRange_SaysWhichEndIsWhich(double scale)
    {
        var fault = Assert.Throws<ArgumentException>(() => new IntruderRescaling { Scale = scale }.Apply(_spectrum));

        Assert.Contains("use 0 or more: 1 leaves an intruder as it is, 0 removes it", fault.Message);
    }

    [Fact]
    public void Plan_SeveralBadSettings_ReportsAll()
    {
        var fault = Assert.Throws<ArgumentException>(() =>
            new IntruderRescaling { Scale = -1, Counterpart = RescalingKind.Uniform, Epsilon = 1, TopK = 0 }.Plan([_spectrum.Finding]));

        foreach (var part in (string[])["Scale is -1", "Counterpart is Uniform", "Epsilon is 1", "TopK is 0"]) Assert.Contains(part, fault.Message);
    }

    [Fact]
    public void ToFactors_OfADenseChange_SaysWhatToTakeInstead()
    {
        var rescaled = new IntruderRescaling { Scale = 0.5 }.Apply(_denseSpectrum);

        Assert.Contains("take ToDense, or Truncate", Assert.Throws<InvalidOperationException>(rescaled.ToFactors).Message);
        using var correction = rescaled.ToCorrection()!;
        AssertNear(rescaled.ToDense(float64) - _dense.Tuned!.to(float64), correction.ToDense(), 1e-6);
        Assert.Throws<ArgumentOutOfRangeException>(() => rescaled.Truncate(0));
    }

    [Fact]
    public void ToFactors_HalfPrecisionFactors_AreNotRoundedAgain()
    {
        using var scope = NewDisposeScope();
        var change = WeightChange.LowRank("w", _weight, _lowRank.A!.to(bfloat16), _lowRank.B!.to(bfloat16), 0.5);
        using var spectrum = new IntruderDetector().Analyze(change);
        var rescaled = new IntruderRescaling { Kind = RescalingKind.All, Scale = 0 }.Apply(spectrum);

        using var factors = rescaled.ToFactors();

        Assert.Equal(float32, factors.A.dtype);
        AssertNear(rescaled.ToDense(float64) - _weight, factors.ToDense(), 1e-6);
        using var same = new IntruderRescaling { Scale = 1 }.Apply(spectrum).ToFactors();
        Assert.Equal(bfloat16, same.A.dtype);
    }

    public void Dispose()
    {
        _spectrum.Dispose();
        _denseSpectrum.Dispose();
        _scope.Dispose();
    }

    private static Tensor Delta(WeightChange change) => change.Scale * change.B!.to(float64).matmul(change.A!.to(float64));

    /// <summary>A finding with given singular values and cosines.</summary>
    private static SpectralFinding Finding(params (double Value, double Cosine)[] triples) => new()
    {
        Name = "w",
        Rows = 10,
        Columns = 10,
        Settings = new SpectralSettings { TopK = [triples.Length] },
        Triples = [.. triples.Select((triple, j) => new SingularTriple(j, triple.Value, triple.Cosine, triple.Cosine, triple.Cosine, 0, 0, 0.5, false))],
        BaseFrobenius = 5,
        TunedFrobenius = 6,
        DeltaFrobenius = 3,
        DeltaStableRank = 1,
        EffectiveRank = 1,
    };

    private static void AssertNear(Tensor expected, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        Assert.True((expected - actual).abs().max().item<double>() <= tolerance, $"off by {(expected - actual).abs().max().item<double>()}");
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Detection;

public class IntruderDetectorTests
{
    public static TheoryData<SpectralMethod> Methods => [SpectralMethod.Fast, SpectralMethod.Complete];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Analyze_DirectionMixedOfManyOldOnes_IsTheOnlyIntruder(SpectralMethod method)
    {
        using var scope = NewDisposeScope();
        // In the base's own basis the planted direction leans on each of 64 old ones by 1/8.
        var (weight, a, b) = Planted(64, 80, strength: 10);

        using var spectrum = new IntruderDetector(new SpectralSettings { Method = method }).Analyze(WeightChange.LowRank("w", weight, a, b, 1));

        Assert.Equal([0], spectrum.Finding.Intruders);
        Assert.InRange(spectrum.Finding.Triples[0].MaxAbsCosine, 0.12, 0.2);
        Assert.All(spectrum.Finding.Triples.Skip(1), triple => Assert.True(triple.MaxAbsCosine > 0.9, triple.ToString()));
        Assert.Equal(1, spectrum.Finding.EffectiveRank, 1e-9);
        Assert.Equal(1, spectrum.Finding.DeltaStableRank, 1e-9);
        Assert.Equal(10, spectrum.Finding.DeltaFrobenius, 1e-9);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Analyze_SidesOfTheTransposed_AreExchanged(SpectralMethod method)
    {
        using var scope = NewDisposeScope();
        var (weight, a, b) = (Spectra.Normal(50, 60, 1), Spectra.Normal(2, 60, 2), Spectra.Normal(50, 2, 3) * 0.3);
        var settings = new SpectralSettings { Method = method, TopK = [5] };

        using var right = new IntruderDetector(settings with { Side = SingularSide.Right }).Analyze(WeightChange.LowRank("w", weight, a, b, 1));
        using var left = new IntruderDetector(settings).Analyze(WeightChange.LowRank("w", weight.t(), b.t(), a.t(), 1));
        using var other = new IntruderDetector(settings).Analyze(WeightChange.LowRank("w", weight, a, b, 1));

        AssertClose(left.Finding.MaxAbsCosines, right.Finding.MaxAbsCosines, 1e-8);
        Assert.True(Math.Abs(left.Finding.MaxAbsCosines[0] - other.Finding.MaxAbsCosines[0]) > 1e-3);
    }

    /// <summary>Another decomposition by other code: managed float64.</summary>
    [Theory]
    [InlineData(24, 33)]
    [InlineData(33, 24)]
    public void Analyze_RandomChange_AgreesWithMathNet(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var (weight, tuned) = (Spectra.Normal(rows, columns, 1), Spectra.Normal(rows, columns, 2));
        var (before, after) = (MathNet(weight), MathNet(tuned));
        var thin = Math.Min(rows, columns);
        var expected = after.U.SubMatrix(0, rows, 0, 6).TransposeThisAndMultiply(before.U.SubMatrix(0, rows, 0, thin)).PointwiseAbs();

        using var spectrum = new IntruderDetector(new SpectralSettings { TopK = [6] }).Analyze(WeightChange.Dense("w", weight, tuned));

        AssertClose([.. expected.EnumerateRows().Select(row => row.Maximum())], spectrum.Finding.MaxAbsCosines, 1e-9);
        AssertClose([.. after.S.Take(6)], spectrum.Finding.SingularValues, 1e-9);
        Assert.Equal([.. expected.EnumerateRows().Select(row => (int?)row.MaximumIndex())], spectrum.Finding.Triples.Select(triple => triple.ClosestBaseVector));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Analyze_NoChange_HasNoIntruderAndNoEnergy(SpectralMethod method)
    {
        using var scope = NewDisposeScope();
        var weight = Spectra.Normal(60, 50, 1);
        var identical = WeightChange.Dense("w", weight, weight.clone());
        var newAdapter = WeightChange.LowRank("w", weight, Spectra.Normal(4, 50, 2), zeros([60, 4], dtype: float64, device: CPU), 2);

        foreach (var change in (WeightChange[])[identical, newAdapter])
        {
            using var spectrum = new IntruderDetector(new SpectralSettings { Method = method }).Analyze(change);

            Assert.Empty(spectrum.Finding.Intruders);
            Assert.Empty(spectrum.Finding.IllDefined);
            Assert.Equal(0, spectrum.Finding.IntruderEnergyShare);
            Assert.Equal((0, 0, 0), (spectrum.Finding.EffectiveRank, spectrum.Finding.DeltaFrobenius, spectrum.Finding.DeltaStableRank));
            AssertClose(linalg.svdvals(weight).data<double>().ToArray()[..10], spectrum.Finding.SingularValues, 1e-9);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Analyze_ZeroMatrices_HaveNoIntruder(SpectralMethod method)
    {
        using var scope = NewDisposeScope();
        var zero = zeros([50, 60], dtype: float32, device: CPU);

        using var spectrum = new IntruderDetector(new SpectralSettings { Method = method, TopK = [3] }).Analyze(WeightChange.Dense("w", zero, zero.clone()));

        Assert.Empty(spectrum.Finding.Intruders);
        Assert.Equal([0, 0, 0], spectrum.Finding.SingularValues);
        Assert.Equal(0, spectrum.Finding.IntruderEnergyShare);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Analyze_ZeroBase_LeavesEveryVectorIllDefined(SpectralMethod method)
    {
        using var scope = NewDisposeScope();
        var change = WeightChange.LowRank("w", zeros([50, 60], dtype: float32, device: CPU), Spectra.Normal(4, 60, 1), Spectra.Normal(50, 4, 2), 1);

        using var spectrum = new IntruderDetector(new SpectralSettings { Method = method, TopK = [4] }).Analyze(change);

        Assert.Equal([0, 1, 2, 3], spectrum.Finding.IllDefined);
    }

    /// <summary>Of an identity, any orthonormal basis is a singular basis: nothing can be said of vectors left inside its one subspace.</summary>
    [Theory]
    [MemberData(nameof(Methods))]
    public void Analyze_EqualSingularValues_AreOneSubspace(SpectralMethod method)
    {
        using var scope = NewDisposeScope();
        var (_, a, b) = Planted(50, 50, strength: 1);

        using var spectrum = new IntruderDetector(new SpectralSettings { Method = method, TopK = [3] })
            .Analyze(WeightChange.LowRank("w", eye(50, dtype: float64, device: CPU), a, b, 1));

        Assert.Equal([0, 1, 2], spectrum.Finding.IllDefined);
        Assert.Empty(spectrum.Finding.Intruders);
    }

    /// <summary>Pairs of equal values leave a vector's cosine between 1/√2 and 1: pretrained at 0.5, however the pair is turned.</summary>
    [Fact]
    public void Analyze_PairsThatStayPairs_ArePretrainedBelowHalfRootTwo()
    {
        using var scope = NewDisposeScope();
        var values = Enumerable.Range(0, 48).Select(i => Math.Pow(0.9, i / 2)).ToArray();
        var weight = Spectra.Matrix(48, 48, values, 1);
        // The change touches a direction far below the leading ones.
        var (u, _, vh) = linalg.svd(weight);
        var change = WeightChange.LowRank("w", weight, vh.narrow(0, 40, 1), u.narrow(1, 40, 1), 0.01);

        using var spectrum = new IntruderDetector(new SpectralSettings { TopK = [4], Epsilon = [0.5, 0.8] }).Analyze(change);

        Assert.Empty(spectrum.Finding.IllDefined);
        Assert.Empty(spectrum.Finding.Intruders);
        Assert.Equal([0, 1, 2, 3], spectrum.Finding.IndicesAt(0.8, 4, IntruderVerdict.IllDefined));
        Assert.All(spectrum.Finding.Triples, triple => Assert.Equal(Math.Sqrt(0.5), triple.CosineLowerBound, 1e-6));
    }

    [Theory]
    [InlineData(1, 40)]
    [InlineData(40, 1)]
    [InlineData(1, 1)]
    public void Analyze_Vectors_KeepTheirOneDirection(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var weight = Spectra.Normal(rows, columns, 1);

        using var spectrum = new IntruderDetector(new SpectralSettings().For(rows, columns))
            .Analyze(WeightChange.LowRank("w", weight, Spectra.Normal(1, columns, 2), Spectra.Normal(rows, 1, 3), 0.1));

        var after = weight + (0.1 * Spectra.Normal(rows, 1, 3).matmul(Spectra.Normal(1, columns, 2)));
        Assert.Equal(after.norm().item<double>(), Assert.Single(spectrum.Finding.SingularValues), 1e-9);
        var expected = rows == 1 ? 1 : Math.Abs((weight / weight.norm()).flatten().dot((after / after.norm()).flatten()).item<double>());
        Assert.Equal(expected, spectrum.Finding.MaxAbsCosines[0], 1e-9);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.Float32)]
    public void Analyze_StorageType_IsWidenedNotRounded(ScalarType storage)
    {
        using var scope = NewDisposeScope();
        var (weight, a, b) = (Spectra.Normal(60, 50, 1).to(storage), Spectra.Normal(3, 50, 2).to(storage), (Spectra.Normal(60, 3, 3) * 0.3).to(storage));
        var exact = WeightChange.LowRank("w", weight.to(float64), a.to(float64), b.to(float64), 0.5);

        using var stored = new IntruderDetector().Analyze(WeightChange.LowRank("w", weight, a, b, 0.5));
        using var widened = new IntruderDetector().Analyze(exact);

        AssertClose(widened.Finding.MaxAbsCosines, stored.Finding.MaxAbsCosines, 1e-12);
        AssertClose(widened.Finding.SingularValues, stored.Finding.SingularValues, 1e-12);
    }

    [Fact]
    public void Analyze_SeveralThresholdsAndCounts_AreOnePass()
    {
        using var scope = NewDisposeScope();
        var change = WeightChange.Dense("w", Spectra.Normal(50, 60, 1), Spectra.Normal(50, 60, 2));

        using var spectrum = new IntruderDetector(new SpectralSettings { TopK = [3, 8], Epsilon = [0.3, 0.9] }).Analyze(change);
        using var single = new IntruderDetector(new SpectralSettings { TopK = [8], Epsilon = [0.9] }).Analyze(change);

        Assert.Equal(8, spectrum.Finding.Triples.Count);
        Assert.Equal(single.Finding.Intruders, spectrum.Finding.IntrudersAt(0.9, 8));
        Assert.Equal(spectrum.Finding.IntrudersAt(0.3, 3), spectrum.Finding.Intruders);
        Assert.All(spectrum.Finding.Intruders, index => Assert.True(index < 3));
    }

    [Fact]
    public void Analyze_MoreThanTheMatrixHas_SaysHowManyItHas()
    {
        using var scope = NewDisposeScope();
        var change = WeightChange.Dense("w", Spectra.Normal(6, 9, 1), Spectra.Normal(6, 9, 2));

        var fault = Assert.Throws<ArgumentException>(() => new IntruderDetector().Analyze(change));

        Assert.Equal("w: TopK is 10, but a matrix of (6, 9) has 6 singular values; use 6 or less (SpectralSettings.For cuts it).", fault.Message);
    }

    [Fact]
    public void Constructor_SeveralBadSettings_ReportsAll()
    {
        var settings = new SpectralSettings { TopK = [0], Epsilon = [0, 1, double.NaN], SubspaceTolerance = 1 };

        var fault = Assert.Throws<ArgumentException>(() => new IntruderDetector(settings));

        foreach (var part in (string[])["TopK holds 0", "Epsilon holds 0;", "Epsilon holds 1;", "Epsilon holds NaN", "SubspaceTolerance is 1"])
            Assert.Contains(part, fault.Message);
    }

    [Fact]
    public void Analyze_BasisOfAnotherBase_IsRefused()
    {
        using var scope = NewDisposeScope();
        var weight = Spectra.Normal(50, 60, 1);
        var change = WeightChange.Dense("w", weight, Spectra.Normal(50, 60, 2));
        var turned = weight.matmul(Spectra.Orthonormal(60, 60, 5));     // the same norm and singular values
        var nudged = weight.clone();
        nudged[3, 4] += 1e-6;
        using var own = BaseSpectrum.Compute("w", weight);

        foreach (var other in (Tensor[])[turned.t().matmul(turned).narrow(0, 0, 50), Spectra.Orthonormal(50, 50, 6).matmul(weight), nudged, weight.t()])
        {
            using var basis = BaseSpectrum.Compute("other", other);
            Assert.Contains("is that of another base", Assert.Throws<ArgumentException>(() => new IntruderDetector().Analyze(change, basis)).Message);
        }
        new IntruderDetector().Analyze(change, own).Dispose();
    }

    [Fact]
    public void Analyze_BasisGivenOrNot_FindsTheSameToTheBit()
    {
        using var scope = NewDisposeScope();
        var change = WeightChange.LowRank("w", Spectra.Normal(50, 60, 1), Spectra.Normal(3, 60, 2), Spectra.Normal(50, 3, 3), 0.4);
        using var basis = BaseSpectrum.Compute("w", change.Base);

        using var given = new IntruderDetector().Analyze(change, basis);
        using var computed = new IntruderDetector().Analyze(change);

        Assert.Equal(computed.Finding.Triples, given.Finding.Triples);
        Assert.Equal(computed.LeftVectors.data<double>().ToArray(), given.LeftVectors.data<double>().ToArray());
    }

    [Theory]
    [InlineData(50, 60)]
    [InlineData(60, 50)]
    public void Analyze_Vectors_AreSingularVectorsOfTheTunedMatrix(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var (weight, a, b) = (Spectra.Normal(rows, columns, 1), Spectra.Normal(3, columns, 2), Spectra.Normal(rows, 3, 3));

        using var spectrum = new IntruderDetector().Analyze(WeightChange.LowRank("w", weight, a, b, 0.4));

        var tuned = weight + (0.4 * b.matmul(a));
        var lengths = tensor(spectrum.Finding.SingularValues.ToArray(), dtype: float64, device: CPU);
        Assert.True((tuned.matmul(spectrum.RightVectors) - (spectrum.LeftVectors * lengths)).abs().max().item<double>() < 1e-8);
        Assert.True((tuned.t().matmul(spectrum.LeftVectors) - (spectrum.RightVectors * lengths)).abs().max().item<double>() < 1e-8);
        Assert.True((spectrum.LeftVectors.t().matmul(spectrum.LeftVectors) - eye(10, dtype: float64, device: CPU)).abs().max().item<double>() < 1e-10);
        var projections = spectrum.LeftVectors.t().matmul(0.4 * b.matmul(a)).matmul(spectrum.RightVectors).diagonal().data<double>().ToArray();
        AssertClose(projections, [.. spectrum.Finding.Triples.Select(triple => triple.DeltaProjection)], 1e-9);
        Assert.Equal(tuned.norm().item<double>(), spectrum.Finding.TunedFrobenius, 1e-9);
        Assert.Equal(weight.norm().item<double>(), spectrum.Finding.BaseFrobenius, 1e-9);
    }

    [Fact]
    public void Similarity_EachRow_HasTheFindingsCosineAsItsLargest()
    {
        using var scope = NewDisposeScope();
        var change = WeightChange.Dense("w", Spectra.Normal(20, 30, 1), Spectra.Normal(20, 30, 2));
        var detector = new IntruderDetector(new SpectralSettings { TopK = [5] });

        var similarity = detector.Similarity(change);

        Assert.Equal((20, 20), (similarity.GetLength(0), similarity.GetLength(1)));
        using var spectrum = detector.Analyze(change);
        AssertClose(spectrum.Finding.MaxAbsCosines, [.. Enumerable.Range(0, 5).Select(i => Enumerable.Range(0, 20).Max(j => similarity[i, j]))], 1e-9);
        // Rows of an orthogonal matrix.
        Assert.Equal(1, Enumerable.Range(0, 20).Sum(j => similarity[3, j] * similarity[3, j]), 1e-9);
    }

    [Fact]
    public void Analyze_NumbersBeyondSquares_AreRefusedByName()
    {
        using var scope = NewDisposeScope();
        var huge = Spectra.Normal(50, 60, 1) * 1e200;

        var fault = Assert.Throws<ArgumentException>(() => new IntruderDetector().Analyze(WeightChange.Dense("w", huge, huge * 2)));

        Assert.StartsWith("w: the base has Frobenius norm", fault.Message);
    }

    /// <summary>A direction that leans equally on all of the base's, as factors of rank 1.</summary>
    private static (Tensor Weight, Tensor A, Tensor B) Planted(int rows, int columns, double strength)
    {
        var weight = Spectra.Matrix(rows, columns, Spectra.Values("power law", Math.Min(rows, columns), 1), 1);
        var (u, _, vh) = linalg.svd(weight, fullMatrices: false);
        var b = u.sum(1, keepdim: true) / Math.Sqrt(u.shape[1]);
        return (weight, vh.sum(0, keepdim: true) / Math.Sqrt(vh.shape[0]), b * strength);
    }

    private static MathNet.Numerics.LinearAlgebra.Factorization.Svd<double> MathNet(Tensor matrix) =>
        global::MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfArray(matrix.ToMatrix()).Svd();

    private static void AssertClose(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (wanted, found) in expected.Zip(actual)) Assert.Equal(wanted, found, tolerance);
    }
}

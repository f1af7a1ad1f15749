using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests.Bases;

public sealed class BaseSpectrumCacheTests : IDisposable
{
    private static readonly BasisPlan Partial = new(CompleteUpTo: 8, RectangularUpTo: 8, Leading: 6, Fewest: 0);

    private readonly TemporaryFolder _folder = new();
    private readonly Tensor _weight = Spectra.Normal(30, 20, 1).to(float32);

    private string[] Files => _folder.Names();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GetOrCompute_SecondTime_ReadsTheSameToTheBit(bool isComplete)
    {
        var cache = new BaseSpectrumCache(_folder.FullName, long.MaxValue, isComplete ? BasisPlan.Default : Partial, File.Create);

        using var computed = cache.GetOrCompute("w", _weight);
        using var found = cache.GetOrCompute("w", _weight);

        Assert.Equal((CacheOutcome.Computed, CacheOutcome.Found), (computed.Outcome, found.Outcome));
        Assert.Equal(isComplete, found.Basis.IsComplete);
        AssertSame(computed.Basis, found.Basis);
        Assert.Single(Files);
    }

    [Fact]
    public void GetOrCompute_OneNumberChanged_IsAnotherBase()
    {
        var cache = new BaseSpectrumCache(_folder.FullName);
        cache.GetOrCompute("w", _weight).Dispose();
        _weight[3, 4] += 1e-3;

        using var other = cache.GetOrCompute("w", _weight);

        Assert.Equal(CacheOutcome.Computed, other.Outcome);
        Assert.Equal(2, Files.Length);
    }

    [Theory]
    [InlineData(0, "it does not begin as a spectrum file")]
    [InlineData(7, "it is of version")]
    [InlineData(20, "it is the spectrum of another base")]
    [InlineData(40, "its header says")]         // rows
    [InlineData(56, "its header says")]         // number of vectors
    [InlineData(72, "its content does not match its checksum")]
    [InlineData(200, "its content does not match its checksum")]
    [InlineData(-1, "its content does not match its checksum")]
    public void GetOrCompute_DamagedByte_IsRebuilt(int position, string fault)
    {
        var cache = new BaseSpectrumCache(_folder.FullName);
        using var computed = cache.GetOrCompute("w", _weight);
        var path = _folder.File(Assert.Single(Files));
        var bytes = File.ReadAllBytes(path);
        bytes[position < 0 ? bytes.Length + position : position] ^= 0x10;
        File.WriteAllBytes(path, bytes);

        using var rebuilt = cache.GetOrCompute("w", _weight);
        using var found = cache.GetOrCompute("w", _weight);

        Assert.Equal((CacheOutcome.Rebuilt, CacheOutcome.Found), (rebuilt.Outcome, found.Outcome));
        Assert.Contains(fault, rebuilt.Problem);
        AssertSame(computed.Basis, found.Basis);
    }

    [Fact]
    public void GetOrCompute_FileOfAnyLength_IsRebuilt()
    {
        var cache = new BaseSpectrumCache(_folder.FullName);
        cache.GetOrCompute("w", _weight).Dispose();
        var path = _folder.File(Assert.Single(Files));
        var bytes = File.ReadAllBytes(path);
        foreach (var length in (int[])[0, 7, 50, 79, 80, 81, bytes.Length - 1])
        {
            File.WriteAllBytes(path, bytes[..length]);
            using var rebuilt = cache.GetOrCompute("w", _weight);
            Assert.Equal(CacheOutcome.Rebuilt, rebuilt.Outcome);
        }
        File.WriteAllBytes(path, [.. bytes, 0]);
        Assert.Equal(CacheOutcome.Rebuilt, cache.GetOrCompute("w", _weight).Outcome);
    }

    [Fact]
    public void GetOrCompute_FileOfAnotherBase_IsRefusedAndRebuilt()
    {
        var cache = new BaseSpectrumCache(_folder.FullName);
        using var own = cache.GetOrCompute("w", _weight);
        var path = _folder.File(Assert.Single(Files));
        using var other = Spectra.Normal(30, 20, 2).to(float32);
        cache.GetOrCompute("other", other).Dispose();
        File.Copy(_folder.File(Files.Single(name => _folder.File(name) != path)), path, overwrite: true);

        using var rebuilt = cache.GetOrCompute("w", _weight);

        Assert.Equal(CacheOutcome.Rebuilt, rebuilt.Outcome);
        Assert.Contains("the spectrum of another base", rebuilt.Problem);
        AssertSame(own.Basis, rebuilt.Basis);
    }

    [Fact]
    public void GetOrCompute_DiskFull_GivesTheBasisSaysSoAndLeavesNothing()
    {
        var cache = new BaseSpectrumCache(_folder.FullName, long.MaxValue, BasisPlan.Default, path => new FullDisk(path, 1000));

        using var computed = cache.GetOrCompute("w", _weight);

        Assert.Equal(CacheOutcome.NotStored, computed.Outcome);
        Assert.Contains("No space left on device", computed.Problem);
        Assert.Empty(Files);
        Assert.Equal(20, computed.Basis.SingularValues.Count);
    }

    [Fact]
    public void GetOrCompute_DiskFullOverAnOldFile_KeepsTheOldOne()
    {
        new BaseSpectrumCache(_folder.FullName).GetOrCompute("w", _weight).Dispose();
        var path = _folder.File(Assert.Single(Files));
        File.WriteAllText(path, "damaged");
        var full = new BaseSpectrumCache(_folder.FullName, long.MaxValue, BasisPlan.Default, beside => new FullDisk(beside, 1000));

        using var computed = full.GetOrCompute("w", _weight);

        Assert.Equal(CacheOutcome.NotStored, computed.Outcome);
        Assert.Equal("damaged", File.ReadAllText(path));
    }

    [Fact]
    public void GetOrCompute_BeyondTheLimit_EvictsWhatWasUsedLongestAgo()
    {
        var unlimited = new BaseSpectrumCache(_folder.FullName);
        var weights = Enumerable.Range(1, 4).Select(seed => Spectra.Normal(30, 20, seed)).ToList();
        var names = new List<string>();
        foreach (var (age, weight) in weights.Take(3).Index())
        {
            unlimited.GetOrCompute("w", weight).Dispose();
            names.Add(Files.Single(name => !names.Contains(name)));
            File.SetLastWriteTimeUtc(_folder.File(names[^1]), DateTime.UtcNow.AddHours(age - 10));
        }
        var size = new FileInfo(_folder.File(names[0])).Length;
        var limited = new BaseSpectrumCache(_folder.FullName, 3 * size);
        limited.GetOrCompute("w", weights[0]).Dispose();                        // the oldest is used again

        limited.GetOrCompute("w", weights[3]).Dispose();

        Assert.Equal(3, Files.Length);
        Assert.Contains(names[0], Files);
        Assert.DoesNotContain(names[1], Files);
        foreach (var weight in weights) weight.Dispose();
    }

    [Fact]
    public void GetOrCompute_LimitOfNothing_KeepsTheLastOnly()
    {
        var cache = new BaseSpectrumCache(_folder.FullName, 0);
        using var other = Spectra.Normal(30, 20, 2);

        cache.GetOrCompute("w", _weight).Dispose();
        cache.GetOrCompute("w", other).Dispose();

        Assert.Single(Files);
    }

    [Fact]
    public void GetOrCompute_ManyAtOnce_AllSucceedAndLeaveOneGoodFile()
    {
        Parallel.For(0, 12, _ =>
        {
            using var any = new BaseSpectrumCache(_folder.FullName).GetOrCompute("w", _weight);
            Assert.True(any.Outcome is CacheOutcome.Computed or CacheOutcome.Found, any.Problem);
        });

        Assert.Single(Files);
        using var found = new BaseSpectrumCache(_folder.FullName).GetOrCompute("w", _weight);
        Assert.Equal(CacheOutcome.Found, found.Outcome);
    }

    [Fact]
    public void GetOrCompute_LeftoversOfAWriterThatDied_AreRemovedAfterADay()
    {
        var (old, fresh) = (_folder.Write(".old.tmp", "x"), _folder.Write(".fresh.tmp", "x"));
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-2));

        new BaseSpectrumCache(_folder.FullName).GetOrCompute("w", _weight).Dispose();

        Assert.False(File.Exists(old));
        Assert.True(File.Exists(fresh));
    }

    [Fact]
    public void GetOrCompute_NotFinite_IsRefusedByName()
    {
        _weight[0, 0] = float.NaN;

        var fault = Assert.Throws<ArgumentException>(() => new BaseSpectrumCache(_folder.FullName).GetOrCompute("layer.1", _weight));

        Assert.StartsWith("layer.1: the base holds 1 values", fault.Message);
        Assert.Empty(Files);
    }

    public void Dispose()
    {
        _weight.Dispose();
        _folder.Dispose();
    }

    private static void AssertSame(BaseSpectrum expected, BaseSpectrum actual)
    {
        Assert.Equal(expected.SingularValues, actual.SingularValues);
        Assert.Equal((expected.Rows, expected.Columns, expected.Frobenius), (actual.Rows, actual.Columns, actual.Frobenius));
        Assert.Equal(expected.NearVectors.data<double>().ToArray(), actual.NearVectors.data<double>().ToArray());
        Assert.Equal(expected.FarVectors?.data<double>().ToArray(), actual.FarVectors?.data<double>().ToArray());
    }

    /// <summary>A file on a disk with so much room and no more.</summary>
    private sealed class FullDisk(string path, int room) : FileStream(path, FileMode.CreateNew)
    {
        private int _room = room;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if ((_room -= buffer.Length) < 0) throw new IOException("No space left on device");
            base.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }
}

using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling.Tests.Native;

[SupportedOSPlatform("linux")]
public class TorchLoadFailureTests
{
    private const string StdCxx = "libstdc++.so.6", Shipped = "/app/libLibTorchSharp.so";
    private static readonly SystemLibrary Old =
        new("/lib/libstdc++.so.6.0.30", new HashSet<string> { "GLIBCXX_3.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.30" });

    [Fact]
    public void TooOld_UsedCompilerVersion_NamesLibraryNewestAndWantedVersionAndRemedy()
    {
        var message = TorchLoadFailure.TooOld(Shipped, Find(new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4.33").Relocate(2), Old)).Message;
        Assert.Contains(Shipped, message);
        Assert.Contains("/lib/libstdc++.so.6.0.30 ends at GLIBCXX_3.4.30, wanted is GLIBCXX_3.4.33", message);
        Assert.Contains("Debian 13 or Ubuntu 24.04", message);
        Assert.Contains("conda-forge's libstdcxx-ng on LD_LIBRARY_PATH", message);
    }

    [Fact]
    public void TooOld_Glibc_AsksForANewerSystem()
    {
        var libc = new SystemLibrary("/lib/libc-2.31.so", new HashSet<string> { "GLIBC_2.31", "GLIBC_2.4", "GLIBC_PRIVATE" });
        var message = TorchLoadFailure.TooOld(Shipped, Find(new SyntheticElf().Need("libc.so.6", "GLIBC_2.34").Relocate(2), libc)).Message;
        Assert.Contains("/lib/libc-2.31.so ends at GLIBC_2.31, wanted is GLIBC_2.34", message);
        Assert.Contains("Use a newer system", message);
        Assert.DoesNotContain("libstdcxx-ng", message);
    }

    [Fact]
    public void NoCache_TwoRefusals_TellsBothAndWhatToSet()
    {
        var unmet = Find(new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4.32"), Old);
        var message = TorchLoadFailure.NoCache(Shipped, unmet, ["/a is full.", "/b has mode 0777."]).Message;
        Assert.Contains("/a is full. /b has mode 0777. Set MLNETLORA_CACHE to a folder", message);
        Assert.Contains("ends at GLIBCXX_3.4.30, wanted is GLIBCXX_3.4.32", message);
    }

    [Fact]
    public void Cause_FailedLoad_KeepsTheLoadersWordsOnly()
    {
        var failedLoad = new DllNotFoundException("Unable to load.\nConsider strace: \n/a.so: failed to map\n");
        Assert.Equal("/a.so: failed to map.", LoaderWords.Of(failedLoad));
        Assert.Equal("No space left on device.", LoaderWords.Of(new IOException("No space left on device")));
    }

    [Fact]
    public void Musl_Alpine_NamesImagesThatWork() => Assert.Contains("Debian 12, Ubuntu 22.04", TorchLoadFailure.Musl(Shipped).Message);

    private static IReadOnlyList<UnmetVersion> Find(SyntheticElf elf, SystemLibrary? provider)
    {
        var image = elf.Build();
        return UnmetVersion.Of(ElfSharedObject.Parse(image), image, _ => provider);
    }
}

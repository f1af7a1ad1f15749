using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling.Tests.Native;

[SupportedOSPlatform("linux")]
public class UnmetVersionTests
{
    private const string StdCxx = "libstdc++.so.6";
    private static readonly SystemLibrary Old =
        new("/lib/libstdc++.so.6.0.30", new HashSet<string> { "GLIBCXX_3.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.30" });

    [Fact]
    public void Of_VersionNamedButNotBound_CanBeWaived()
    {
        var unmet = Assert.Single(Find(new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4", "GLIBCXX_3.4.32").Relocate(2), Old));
        Assert.Equal("GLIBCXX_3.4.32", unmet.Need.Version);
        Assert.True(unmet.CanBeWaived);
    }

    [Fact]
    public void Of_VersionBoundByARelocation_CannotBeWaived() =>
        Assert.False(Assert.Single(Find(new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4", "GLIBCXX_3.4.32").Relocate(3), Old)).CanBeWaived);

    [Fact]
    public void Of_UnusedVersionOfGlibc_CannotBeWaived()
    {
        var libc = new SystemLibrary("/lib/libc.so.6", new HashSet<string> { "GLIBC_2.35" });
        Assert.False(Assert.Single(Find(new SyntheticElf().Need("libc.so.6", "GLIBC_ABI_DT_RELR"), libc)).CanBeWaived);
    }

    [Fact]
    public void Of_EverythingDefinedOrAlreadyWeak_IsEmpty()
    {
        Assert.Empty(Find(new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4.30"), Old));

        var image = new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4.32").Build();
        ElfSharedObject.Parse(image).VersionNeeds[0].Weaken(image);
        Assert.Empty(UnmetVersion.Of(ElfSharedObject.Parse(image), image, _ => Old));
    }

    [Fact]
    public void Of_ProviderNotLoaded_IsNotJudged() => Assert.Empty(Find(new SyntheticElf().Need(StdCxx, "GLIBCXX_3.4.32"), null));

    private static IReadOnlyList<UnmetVersion> Find(SyntheticElf elf, SystemLibrary? provider)
    {
        var image = elf.Build();
        return UnmetVersion.Of(ElfSharedObject.Parse(image), image, _ => provider);
    }
}

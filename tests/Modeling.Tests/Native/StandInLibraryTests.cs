using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Native;

[SupportedOSPlatform("linux")]
public class StandInLibraryTests
{
    [Fact]
    public void Build_NameAndNeeded_AreReadBack()
    {
        var library = ElfSharedObject.Parse(StandInLibrary.Build("/a/libb.so", "libc.so.6", "libm.so.6"));
        Assert.Equal("/a/libb.so", library.SoName);
        Assert.Equal(["libc.so.6", "libm.so.6"], library.Needed);
    }

    [Fact]
    public void Load_NamedByAPath_AnswersForTheFileThatLiesThere()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stand-ins are for Linux' loader.");
        using var folder = new TemporaryFolder();
        var elsewhere = folder.Write("libreal.so", "no library at all");
        File.WriteAllBytes(folder.File("standin.so"), StandInLibrary.Build(elsewhere));
        Assert.Equal(0, DynamicLoader.FindLoaded(elsewhere));

        var handle = NativeLibrary.Load(folder.File("standin.so"));

        Assert.Equal(handle, DynamicLoader.FindLoaded(elsewhere));
        Assert.Equal(handle, NativeLibrary.Load(elsewhere));
    }

    [Fact]
    public void Load_Needed_LendsItsSymbols()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stand-ins are for Linux' loader.");
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("standin.so"), StandInLibrary.Build("libplain.so", "libm.so.6"));
        Assert.True(NativeLibrary.TryGetExport(NativeLibrary.Load(folder.File("standin.so")), "cos", out _));
    }
}

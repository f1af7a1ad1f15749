using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling.Tests.Native;

[SupportedOSPlatform("linux")]
public class SystemLibraryTests
{
    [Fact]
    public void Find_LibStdCxxOfThisProcess_DefinesTheFirstVersion()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && !SystemLibrary.IsMusl(), "Only Linux with glibc maps libstdc++.so.6.");
        var library = SystemLibrary.Find("libstdc++.so.6");
        Assert.NotNull(library);
        Assert.Contains("GLIBCXX_3.4", library.Versions);
        Assert.StartsWith("GLIBCXX_3.4.", library.Newest("GLIBCXX_3.4.99"));
    }

    [Fact]
    public void Newest_NumbersOfSeveralDigits_AreComparedAsNumbers()
    {
        var library = new SystemLibrary("/lib/a.so", new HashSet<string> { "A_3.4.9", "A_3.4.30", "A_PRIVATE", "B_9.9" });
        Assert.Equal("A_3.4.30", library.Newest("A_3.4.32"));
        Assert.Null(library.Newest("C_1"));
    }
}

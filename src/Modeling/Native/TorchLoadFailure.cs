using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>What to tell a user whose system cannot load TorchSharp's native library: what was found, what is wanted, what to do.</summary>
[SupportedOSPlatform("linux")]
internal static class TorchLoadFailure
{
    private const string NewerCompilerRuntime =
        "install the libstdc++6 of Debian 13 or Ubuntu 24.04, or put the folder of conda-forge's libstdcxx-ng on LD_LIBRARY_PATH "
        + "before the process starts";

    /// <summary>The system runs on musl.</summary>
    public static DllNotFoundException Musl(string library) =>
        new($"MLNetLoRA: {library} is built for glibc, this system's C library is musl (Alpine). "
            + "Use a system or container image based on Debian 12, Ubuntu 22.04 or later.");

    /// <summary>The shipped file is damaged.</summary>
    public static DllNotFoundException Unreadable(string library, Exception reason) =>
        new($"MLNetLoRA: {library} cannot be read: {reason.Message} Restore the TorchSharp package again.", reason);

    /// <summary>Versions are missing that the library really uses.</summary>
    public static DllNotFoundException TooOld(string library, IReadOnlyList<UnmetVersion> missing)
    {
        var found = string.Join("; ", missing.GroupBy(unmet => unmet.Provider.Path, StringComparer.Ordinal).Select(Describe));
        var remedy = missing.All(unmet => unmet.IsOfCompilerRuntime)
            ? $"Either {NewerCompilerRuntime}."
            : "Use a newer system (Debian 12, Ubuntu 22.04 or later): glibc cannot be exchanged for one program.";
        return new($"MLNetLoRA: a system library is too old for {library}: {found}. {remedy}");
    }

    /// <summary>A library that comes with libtorch does not load.</summary>
    public static DllNotFoundException Dependency(string library, string dependency, Exception reason) =>
        new($"MLNetLoRA: {library} needs {dependency}, which does not load: {LoaderWords.Of(reason)}", reason);

    /// <summary>The adjusted copy cannot be kept, or not be loaded from where it is kept.</summary>
    /// <param name="library">The shipped file.</param>
    /// <param name="waived">The versions the copy would do without.</param>
    /// <param name="refusals">Why each cache folder cannot be used.</param>
    public static DllNotFoundException NoCache(string library, IReadOnlyList<UnmetVersion> waived, IReadOnlyList<string> refusals)
    {
        var found = string.Join("; ", waived.GroupBy(unmet => unmet.Provider.Path, StringComparer.Ordinal).Select(Describe));
        var tried = refusals.Count > 0 ? string.Join(" ", refusals) : "There is no home folder.";
        return new($"MLNetLoRA: {library} does not load here ({found}); an adjusted copy would, but no cache folder can hold it. "
            + $"{tried} Set {NativeLibraryCache.FolderVariable} to a folder that only you can write and that allows execution; "
            + $"or {NewerCompilerRuntime}.");
    }

    private static string Describe(IGrouping<string, UnmetVersion> missing)
    {
        var wanted = string.Join(", ", missing.Select(unmet => unmet.Need.Version));
        var newest = missing.Select(unmet => unmet.Provider.Newest(unmet.Need.Version)).FirstOrDefault(name => name is not null);
        return $"{missing.Key} {(newest is null ? "has no such versions" : $"ends at {newest}")}, wanted is {wanted}";
    }
}

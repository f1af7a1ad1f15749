using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>A symbol version that a library insists on and the system's library does not define.</summary>
/// <param name="Need">The version, and the name of the library that should define it.</param>
/// <param name="Provider">The library of that name in this process.</param>
/// <param name="IsUsed">True where a symbol of that version is bound; false where the version is only named.</param>
[SupportedOSPlatform("linux")]
internal sealed record UnmetVersion(ElfVersionNeed Need, SystemLibrary Provider, bool IsUsed)
{
    private const string CompilerRuntime = "libstdc++.so.6";

    /// <summary>True where the library works without the version, once its loader no longer insists.</summary>
    /// <remarks>
    /// Only for libstdc++. There, GLIBCXX_3.4.32 is named by every library a newer GCC compiles, for a symbol nobody calls
    /// (ios_base_library_init): it makes sure of a libstdc++ that sets up the standard streams itself. With an older one, libtorch's
    /// own libraries, built by an older GCC and loaded first, set them up. In glibc an unused version may stand for something
    /// the loader must understand (GLIBC_ABI_DT_RELR), so it stays a demand.
    /// </remarks>
    public bool CanBeWaived => Need.Library == CompilerRuntime && !IsUsed;

    /// <summary>True for the compiler's library, which can be newer than the system; glibc cannot.</summary>
    public bool IsOfCompilerRuntime => Need.Library == CompilerRuntime;

    /// <summary>All versions a library insists on in vain; a library that is not loaded is not judged.</summary>
    /// <exception cref="InvalidDataException">A relocation of the library leads outside its file.</exception>
    public static IReadOnlyList<UnmetVersion> Of(ElfSharedObject library, ReadOnlySpan<byte> image, Func<string, SystemLibrary?> find)
    {
        var providers = library.VersionNeeds.Select(need => need.Library).Distinct(StringComparer.Ordinal).ToDictionary(name => name, find);
        var used = library.RelocatedVersions();
        var unmet = new List<UnmetVersion>();
        foreach (var need in library.VersionNeeds)
        {
            if (need.IsWeak(image) || providers[need.Library] is not { } provider || provider.Versions.Contains(need.Version)) continue;
            unmet.Add(new UnmetVersion(need, provider, used.Contains(need.Index)));
        }
        return unmet;
    }
}

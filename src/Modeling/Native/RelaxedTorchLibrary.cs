using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>TorchSharp's native library for systems with a libstdc++ older than the compiler that built it.</summary>
/// <remarks>
/// libLibTorchSharp.so insists on a symbol version that it names but never uses. A copy in the user's cache, equal but for a flag that
/// makes this version optional, loads and works; <see cref="UnmetVersion.CanBeWaived"/> says why that is sound.
/// </remarks>
[SupportedOSPlatform("linux")]
internal static class RelaxedTorchLibrary
{
    /// <summary>File name of TorchSharp's native library.</summary>
    public const string FileName = "libLibTorchSharp.so";

    /// <summary>Loads the adjusted copy where missing versions are what keeps the shipped library from loading.</summary>
    /// <param name="folders">Where the application's native libraries lie.</param>
    /// <returns>The handle of the copy; zero where the cause is another one, so that the runtime and TorchSharp tell it.</returns>
    /// <exception cref="DllNotFoundException">The system is the cause, and there is no help; the message tells what to do.</exception>
    public static nint Load(IReadOnlyList<string> folders) =>
        Load(folders, (shipped, library) => LoadDependencies(shipped, library, folders), NativeLibrary.Load);

    /// <summary>The same over a libtorch that is in the process already.</summary>
    /// <param name="folders">Where the application's native libraries lie.</param>
    /// <param name="load">Loads the copy.</param>
    /// <returns>The handle of the copy; zero where missing versions are not the cause.</returns>
    /// <exception cref="DllNotFoundException">The system is the cause, and there is no help; the message tells what to do.</exception>
    public static nint LoadOver(IReadOnlyList<string> folders, Func<string, nint> load) => Load(folders, (_, _) => true, load);

    private static nint Load(IReadOnlyList<string> folders, Func<string, ElfSharedObject, bool> loadDependencies, Func<string, nint> load)
    {
        if (NativeSearchPath.Find(folders, FileName) is not { } shipped) return 0;
        if (SystemLibrary.IsMusl()) throw TorchLoadFailure.Musl(shipped);

        var (library, image, unmet) = Read(shipped);
        if (unmet.Count == 0) return 0;
        var missing = unmet.Where(version => !version.CanBeWaived).ToList();
        if (missing.Count > 0) throw TorchLoadFailure.TooOld(shipped, missing);
        if (!loadDependencies(shipped, library)) return 0;

        foreach (var version in unmet) version.Need.Weaken(image);
        var refusals = new List<string>();
        var handle = NativeLibraryCache.Load(FileName, image, load, refusals);
        return handle != 0 ? handle : throw TorchLoadFailure.NoCache(shipped, unmet, refusals);
    }

    private static (ElfSharedObject Library, byte[] Image, IReadOnlyList<UnmetVersion> Unmet) Read(string shipped)
    {
        try
        {
            var image = File.ReadAllBytes(shipped);
            var library = ElfSharedObject.Parse(image);
            return (library, image, UnmetVersion.Of(library, image, SystemLibrary.Find));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw TorchLoadFailure.Unreadable(shipped, exception);
        }
    }

    // The shipped library finds libtorch in its own folder ($ORIGIN); the copy lies elsewhere and finds it by name among what is loaded.
    private static bool LoadDependencies(string shipped, ElfSharedObject library, IReadOnlyList<string> folders)
    {
        foreach (var name in library.Needed)
        {
            if (NativeSearchPath.Find(folders, name) is not { } path)
            {
                if (!NativeLibrary.TryLoad(name, out _)) return false;   // no libtorch package: TorchSharp names those to choose from
                continue;
            }
            try
            {
                NativeLibrary.Load(path);
            }
            catch (DllNotFoundException exception)
            {
                throw TorchLoadFailure.Dependency(shipped, path, exception);
            }
        }
        return true;
    }
}

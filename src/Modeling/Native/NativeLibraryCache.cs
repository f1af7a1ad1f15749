using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace MLNetLoRA.Modeling;

/// <summary>Keeps adjusted copies of native libraries in the user's cache folder, each under the SHA-256 of its content.</summary>
/// <remarks>
/// A file found there is used only when every byte is the one we would write, it is a regular file of the current user and nobody else may
/// write it; otherwise it is replaced. Copies are written beside and renamed, so any number of processes may start at once.
/// </remarks>
[SupportedOSPlatform("linux")]
internal static class NativeLibraryCache
{
    /// <summary>The environment variable that names the cache folder.</summary>
    public const string FolderVariable = "MLNETLORA_CACHE";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The folders that may hold copies, the preferred first: MLNETLORA_CACHE, XDG_CACHE_HOME, ~/.cache.</summary>
    /// <remarks>Never a temporary folder: those are shared with other users.</remarks>
    /// <param name="variable">Reads an environment variable.</param>
    /// <param name="home">The user's home folder, or an empty text.</param>
    public static IEnumerable<string> Roots(Func<string, string?> variable, string home)
    {
        if (variable(FolderVariable) is { Length: > 0 } own) yield return own;
        // A relative XDG_CACHE_HOME is to be ignored: XDG Base Directory Specification, "Environment variables".
        if (variable("XDG_CACHE_HOME") is { Length: > 0 } shared && Path.IsPathFullyQualified(shared)) yield return shared;
        if (home.Length > 0) yield return Path.Join(home, ".cache");
    }

    /// <summary>Loads a copy with this content from the first root that can hold it.</summary>
    /// <param name="fileName">Its file name.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="load">Loads the file at a path.</param>
    /// <param name="refusals">Receives why a root cannot be used, a sentence each.</param>
    /// <returns>What <paramref name="load"/> returns; zero where no root can be used.</returns>
    public static nint Load(string fileName, byte[] content, Func<string, nint> load, List<string> refusals)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        foreach (var root in Roots(Environment.GetEnvironmentVariable, home).Distinct())
        {
            try
            {
                return load(Store(root, fileName, content));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or DllNotFoundException)
            {
                refusals.Add(LoaderWords.Of(exception));    // DllNotFoundException: mounted noexec, for one
            }
        }
        return 0;
    }

    /// <summary>Makes sure that a root holds a copy with this content.</summary>
    /// <returns>The full path of the copy.</returns>
    /// <exception cref="IOException">The root cannot be used; the message says why.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not write there.</exception>
    public static string Store(string root, string fileName, byte[] content)
    {
        if (!Path.IsPathFullyQualified(root)) throw new IOException($"Cache folder '{root}' is not a full path.");
        var folder = PrivateFolder.Create(root, "mlnetlora", "native", Convert.ToHexStringLower(SHA256.HashData(content)));
        var path = Path.Join(folder, fileName);
        if (!Holds(path, content)) Write(folder, path, content);
        return path;
    }

    private static bool Holds(string path, byte[] content)
    {
        if (FileStatus.Of(path) is not { } status) return false;
        var isOurs = status.IsRegularFile && status.Owner == FileStatus.CurrentUser && !status.IsWritableByOthers;
        if (!isOurs || status.Length != (ulong)content.Length) return false;
        try
        {
            return File.ReadAllBytes(path).AsSpan().SequenceEqual(content);
        }
        catch (UnauthorizedAccessException)
        {
            return false;   // our own file without read permission: a fresh copy replaces it
        }
    }

    private static void Write(string folder, string path, byte[] content)
    {
        var beside = Path.Join(folder, $".{Guid.NewGuid():N}.tmp");
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly };
            using (var stream = new FileStream(beside, options))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }
            File.Move(beside, path, overwrite: true);   // a process that already runs from the old file keeps it
        }
        finally
        {
            File.Delete(beside);   // nothing to delete after the move
        }
    }
}

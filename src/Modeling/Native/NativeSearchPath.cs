using System.Reflection;
using System.Runtime.InteropServices;

namespace MLNetLoRA.Modeling;

/// <summary>The folders in which the runtime looks for the native libraries of an application, in its order.</summary>
internal static class NativeSearchPath
{
    /// <summary>Folders to search on behalf of an assembly; not all of them need exist.</summary>
    public static IReadOnlyList<string> Of(Assembly assembly)
    {
        var folders = new List<string>();
        // What the host computed from deps.json, or the folder into which a single file was unpacked.
        if (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") is string known)
            folders.AddRange(known.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        folders.Add(AppContext.BaseDirectory);
        // Empty in a single file. A plug-in's assembly has its native libraries beside it, where the host does not look.
        if (assembly.Location is { Length: > 0 } location) folders.Add(Path.GetDirectoryName(location)!);

        var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        var architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        var perPlatform = folders.Select(folder => Path.Join(folder, "runtimes", $"{system}-{architecture}", "native"));
        return [.. folders.Concat(perPlatform).Select(Path.TrimEndingDirectorySeparator).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>The first file of that name, or null.</summary>
    public static string? Find(IEnumerable<string> folders, string fileName) =>
        folders.Select(folder => Path.Join(folder, fileName)).FirstOrDefault(File.Exists);
}

using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>A library of the operating system that is loaded in this process, and the symbol versions it defines.</summary>
/// <param name="Path">Full path of its file.</param>
/// <param name="Versions">Names such as GLIBCXX_3.4.30.</param>
[SupportedOSPlatform("linux")]
internal sealed record SystemLibrary(string Path, IReadOnlySet<string> Versions)
{
    /// <summary>True where the process runs on musl (Alpine), for which libtorch is not built.</summary>
    public static bool IsMusl() =>
        MappedFiles().Any(path => System.IO.Path.GetFileName(path).StartsWith("ld-musl-", StringComparison.Ordinal));

    /// <summary>The loaded library that answers to a name, or null where none does.</summary>
    /// <param name="soName">The name other libraries ask for, such as libstdc++.so.6.</param>
    public static SystemLibrary? Find(string soName)
    {
        foreach (var path in MappedFiles().Where(path => MayBe(path, soName)).Distinct(StringComparer.Ordinal))
        {
            try
            {
                var library = ElfSharedObject.Parse(File.ReadAllBytes(path));
                if (library.SoName == soName) return new SystemLibrary(path, library.VersionDefinitions);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                // Replaced since the process started, or not ours to read: there is no knowing what it defines.
            }
        }
        return null;
    }

    /// <summary>The newest version defined in the series of another, such as GLIBCXX_3.4.30 for GLIBCXX_3.4.32, or null.</summary>
    public string? Newest(string version)
    {
        var (series, _) = Split(version);
        return Versions.Select(name => (Name: name, Parts: Split(name)))
            .Where(candidate => candidate.Parts.Series == series && candidate.Parts.Number is not null)
            .OrderByDescending(candidate => candidate.Parts.Number).Select(candidate => candidate.Name).FirstOrDefault();
    }

    private static (string Series, Version? Number) Split(string version)
    {
        var at = version.LastIndexOf('_');
        return at < 0 ? (version, null) : (version[..at], Version.TryParse(version[(at + 1)..], out var number) ? number : null);
    }

    // The kernel lists the file itself, links resolved: libstdc++.so.6.0.30, and libc-2.31.so on systems older than glibc 2.34.
    private static bool MayBe(string path, string soName)
    {
        var stem = soName.Split(".so")[0];
        var file = System.IO.Path.GetFileName(path);
        return file.StartsWith(stem, StringComparison.Ordinal) && file.Length > stem.Length && file[stem.Length] is ('.' or '-');
    }

    private static IEnumerable<string> MappedFiles() =>
        from line in File.ReadLines("/proc/self/maps")
        let start = line.IndexOf('/')
        where start >= 0
        select line[start..];
}

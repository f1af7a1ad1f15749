using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Output;

/// <summary>Checks at the door that what a verb will write can be written, and overwrites nothing that it reads.</summary>
internal static class OutputPaths
{
    private static readonly StringComparer PathComparer = OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    /// <summary>Checks files to be written.</summary>
    /// <param name="outputs">Option and path; a null path is not wanted.</param>
    /// <param name="inputs">Option and path of what is read.</param>
    /// <exception cref="BadInputException">A file cannot be written, or is named twice.</exception>
    public static void Check(IEnumerable<(string Option, string? Path)> outputs, IEnumerable<(string Option, string? Path)> inputs)
    {
        var taken = new Dictionary<string, string>(PathComparer);
        foreach (var (option, path) in inputs)
            if (path is not null) taken.TryAdd(Path.GetFullPath(path), option);
        foreach (var (option, path) in outputs)
        {
            if (path is null) continue;
            if (!taken.TryAdd(Path.GetFullPath(path), option))
                throw new BadInputException($"{path}: {taken[Path.GetFullPath(path)]} and {option} name the same file; choose another for {option}.");
            CheckFile(path);
        }
    }

    /// <summary>Checks a folder that will be created, or filled.</summary>
    /// <exception cref="BadInputException">It is a file, or cannot be written.</exception>
    public static void CheckFolder(string path)
    {
        var existing = Path.GetFullPath(path);
        while (!Directory.Exists(existing))
        {
            if (File.Exists(existing)) throw new BadInputException($"{path}: '{existing}' is a file; name a folder to write.");
            existing = Path.GetDirectoryName(existing) ?? throw new BadInputException($"{path}: there is no such drive; name a folder to write.");
        }
        CheckFile(Path.Combine(existing, Checkpoint.FileName));
    }

    /// <summary>Checks that a folder to be written is none that is read, and holds no file that is read.</summary>
    /// <exception cref="BadInputException">It is, or does.</exception>
    public static void CheckApart(string option, string folder, IEnumerable<(string Option, string? Path)> inputs)
    {
        foreach (var (input, path) in inputs)
            if (path is not null && PathComparer.Equals(Resolved(folder), Resolved(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!)))
                throw new BadInputException($"{folder}: {input} is read from this folder; choose another for {option}.");
    }

    private static string Resolved(string folder)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return Directory.Exists(full) ? new DirectoryInfo(full).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? full : full;
    }

    private static void CheckFile(string path)
    {
        try
        {
            AtomicFile.EnsureWritable(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException(e.Message, e);
        }
    }
}

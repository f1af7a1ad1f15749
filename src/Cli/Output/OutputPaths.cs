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

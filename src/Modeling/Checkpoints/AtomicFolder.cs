namespace MLNetLoRA.Modeling;

/// <summary>Folders of files that are either complete or as they were: written beside their place, then moved.</summary>
internal static class AtomicFolder
{
    /// <summary>Fills a folder.</summary>
    /// <remarks>
    /// A new folder appears at once. In one that exists files of the same names are replaced, others stay; the files that make it what it is go
    /// first and come last, so that a machine that stops meanwhile leaves a folder that does not open rather than a mixture of two.
    /// </remarks>
    /// <param name="folder">The folder; the ones above it are created too.</param>
    /// <param name="opening">
    /// Names of the files that decide what the folder is opened as: old ones never outlive the new. The first is the one without which nobody
    /// opens it: the first to go and the last to come.
    /// </param>
    /// <param name="write">Writes files, no folders, into the folder it is given. When it throws, nothing remains and nothing old is touched.</param>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="IOException">The folder cannot be written, for example on a full disk.</exception>
    public static void Write(string folder, string[] opening, Action<string> write)
    {
        var full = Path.GetFullPath(folder);
        var stage = Path.Combine(NearestExisting(full), $".{Guid.NewGuid():N}.tmp");
        try
        {
            Directory.CreateDirectory(stage);
            write(stage);
            if (Directory.Exists(full)) Replace(stage, full, opening);
            else MoveWhole(stage, full);
        }
        catch (IOException e)
        {
            throw new IOException($"{folder}: nothing was written: {e.Message}", e);
        }
        finally
        {
            if (Directory.Exists(stage)) Directory.Delete(stage, recursive: true);
        }
    }

    // On the same disk, so that moving is renaming.
    private static string NearestExisting(string full)
    {
        var existing = full;
        while (!Directory.Exists(existing)) existing = Path.GetDirectoryName(existing) ?? throw new IOException($"{full}: there is no such drive.");
        return existing;
    }

    private static void MoveWhole(string stage, string full)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        Directory.Move(stage, full);
    }

    private static void Replace(string stage, string full, string[] opening)
    {
        string[] inOrder = [.. Directory.EnumerateFiles(stage).Select(path => Path.GetFileName(path)!).Except(opening), .. opening.Reverse()];
        var names = inOrder.Where(name => File.Exists(Path.Combine(stage, name))).ToList();
        if (names.Find(name => Directory.Exists(Path.Combine(full, name))) is { } occupied)
            throw new IOException($"{Path.Combine(full, occupied)}: this is a folder; a file has to go there. Choose another place.");
        foreach (var name in opening) File.Delete(Path.Combine(full, name));
        foreach (var name in names) File.Move(Path.Combine(stage, name), Path.Combine(full, name), overwrite: true);
    }
}

namespace MLNetLoRA.Testing;

/// <summary>An empty folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private bool _isKept;

    public string FullName { get; } = Directory.CreateTempSubdirectory("mlnetlora-test-").FullName;

    public string File(string name) => Path.Combine(FullName, name);

    public string Write(string name, string text)
    {
        System.IO.File.WriteAllText(File(name), text);
        return File(name);
    }

    public string[] Names() => [.. Directory.EnumerateFileSystemEntries(FullName).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    /// <summary>Leaves the folder to the system's own cleaning: for files that something reads again later.</summary>
    public string Keep()
    {
        _isKept = true;
        return FullName;
    }

    public void Dispose()
    {
        if (!_isKept) Directory.Delete(FullName, recursive: true);
    }
}

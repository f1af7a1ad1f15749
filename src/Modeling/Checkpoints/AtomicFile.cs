namespace MLNetLoRA.Modeling;

/// <summary>Files that are either complete or absent: written beside their place, flushed to the disk, renamed.</summary>
/// <remarks>
/// Thread safe. A symbolic link stays one: the file it points to is replaced. A device or pipe, /dev/stdout say, is
/// written directly.
/// </remarks>
public static class AtomicFile
{
    /// <summary>Writes a file, replacing any old one at once when everything is on the disk.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="write">
    /// Writes the content; the stream can also seek and read, unless it is a device. When it throws, an old file is untouched and nothing
    /// new remains.
    /// </param>
    /// <exception cref="DirectoryNotFoundException">The folder of <paramref name="path"/> does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder, or the file there, must not be written.</exception>
    /// <exception cref="IOException"><paramref name="path"/> is a folder, or writing failed, for example on a full disk.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(write);
        var full = Path.GetFullPath(path);
        if (DeviceOrTarget(full) is not { } target)
        {
            using var device = new FileStream(full, FileMode.Open, FileAccess.Write);
            write(device);
            return;
        }

        var (stream, beside) = CreateBeside(target, path);
        try
        {
            using (stream)
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            Rename(beside, target, path);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    /// <summary>Fails now as <see cref="Write"/> would later: for the door of work that takes hours. Leaves nothing behind.</summary>
    /// <inheritdoc cref="Write" path="/exception"/>
    public static void EnsureWritable(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (DeviceOrTarget(Path.GetFullPath(path)) is not { } target) return;
        var (stream, beside) = CreateBeside(target, path);
        stream.Dispose();
        File.Delete(beside);
    }

    // Null for a device, which is written directly.
    private static string? DeviceOrTarget(string full)
    {
        var target = FinalTarget(full);
        return IsDevice(full) || IsDevice(target) ? null : target;
    }

    private static string FinalTarget(string full)
    {
        var file = new FileInfo(full);
        return file.LinkTarget is null ? full : file.ResolveLinkTarget(returnFinalTarget: true)!.FullName;
    }

    // A rename would replace /dev/null or the pipe behind /dev/stdout by an ordinary file.
    private static bool IsDevice(string target) =>
        !OperatingSystem.IsWindows() && File.Exists(target)
        && (Path.GetDirectoryName(target) == "/dev" || target.StartsWith("/dev/pts/", StringComparison.Ordinal)
            || target.StartsWith("/proc/", StringComparison.Ordinal));

    private static (FileStream Stream, string Path) CreateBeside(string target, string path)
    {
        if (Directory.Exists(target))
            throw new IOException($"{path}: this is a folder; name a file to write.");
        var folder = Path.GetDirectoryName(target)!;
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{path}: the folder '{folder}' does not exist; create it first.");
        // The name does not repeat the target's: that may be as long as the file system allows already.
        var beside = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
        return (Create(beside, path, folder), beside);
    }

    private static FileStream Create(string beside, string path, string folder)
    {
        try
        {
            return new FileStream(beside, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"{path}: the folder '{folder}' is not writable; choose another or change its permissions.", e);
        }
        catch (IOException e)
        {
            throw new IOException($"{path}: cannot write in the folder '{folder}': {e.Message}", e);
        }
    }

    private static void Rename(string beside, string target, string path)
    {
        try
        {
            File.Move(beside, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path}: the file there cannot be replaced: {e.Message}", e);
        }
    }
}

using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>A folder whose content nobody but the current user can change: code may be loaded from it by path.</summary>
/// <remarks>
/// Between checking a file and loading it by path, whoever may write one of the folders above could swap it. So all of them are checked:
/// our own folders belong to the current user, are no links and are written by nobody else; the folders above belong to that user or to
/// root, and others may write there only under the sticky bit, which keeps them from renaming what is not theirs.
/// </remarks>
[SupportedOSPlatform("linux")]
internal static class PrivateFolder
{
    private const uint Root = 0;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Creates what is missing of a folder under a root, with mode 0700, and checks all of it.</summary>
    /// <returns>The path of the folder, links in <paramref name="root"/> resolved.</returns>
    /// <exception cref="IOException">A folder cannot be created, or someone else could change what is in it.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not create a folder there.</exception>
    public static string Create(string root, params ReadOnlySpan<string> names)
    {
        CreateWithParents(root);
        var path = FileStatus.ResolveLinks(root);
        CheckAbove(path);
        foreach (var name in names)
        {
            path = Path.Join(path, name);
            Directory.CreateDirectory(path, OwnerOnly);
            CheckOwn(path);
        }
        return path;
    }

    // Directory.CreateDirectory gives its mode to the last folder only; the ones between would follow the umask.
    private static void CreateWithParents(string path)
    {
        if (Directory.Exists(path)) return;
        if (Path.GetDirectoryName(path) is { } parent) CreateWithParents(parent);
        Directory.CreateDirectory(path, OwnerOnly);
    }

    private static void CheckAbove(string path)
    {
        for (var folder = path; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            var status = FileStatus.Of(folder) ?? throw new IOException($"{folder} has just been removed.");
            if (status.Owner != Root) CheckOwner(folder, status);
            if (status.IsWritableByOthers && !status.IsSticky) throw WritableByOthers(folder, status);
        }
    }

    private static void CheckOwn(string folder)
    {
        var status = FileStatus.Of(folder) ?? throw new IOException($"{folder} has just been removed.");
        if (!status.IsFolder) throw new IOException($"{folder} is a link or a file, wanted is a folder; remove it.");
        CheckOwner(folder, status);
        if (status.IsWritableByOthers) throw WritableByOthers(folder, status);
    }

    private static void CheckOwner(string folder, FileStatus status)
    {
        if (status.Owner == FileStatus.CurrentUser) return;
        throw new IOException($"{folder} belongs to user {status.Owner}, who could put code there; we are user {FileStatus.CurrentUser}.");
    }

    private static IOException WritableByOthers(string folder, FileStatus status) =>
        new($"{folder} has mode {status.Permissions}, so that others could put code there; run chmod go-w on it.");
}

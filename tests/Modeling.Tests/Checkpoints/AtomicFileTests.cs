using System.Runtime.Versioning;

using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests;

public class AtomicFileTests
{
    [Fact]
    public void Write_ExistingFile_IsReplacedAndNothingElseRemains()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("out.json", "old and longer");

        AtomicFile.Write(path, stream => stream.Write("new"u8));

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(["out.json"], folder.Names());
    }

    [Fact]
    public void Write_WhileWriting_OldFileIsStillWhole()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("out.json", "old");
        var seen = "";

        AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100_000]);
            seen = File.ReadAllText(path);
        });

        Assert.Equal("old", seen);
    }

    [Fact]
    public void Write_WriterThrows_LeavesTheOldFileAndNoOther()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("out.json", "old");

        Assert.Throws<FormatException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("half"u8);
            throw new FormatException();
        }));

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["out.json"], folder.Names());
    }

    [Fact]
    public void Write_MissingFolder_SaysWhichOne()
    {
        using var folder = new TemporaryFolder();
        var thrown = Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.Write(Path.Combine(folder.FullName, "no", "out.json"), _ => { }));
        Assert.Contains($"the folder '{folder.File("no")}' does not exist", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_PathIsAFolder_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.StartsWith($"{folder.FullName}: this is a folder", Assert.Throws<IOException>(() => AtomicFile.Write(folder.FullName, _ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_FileNamedAsFolder_IsAMissingFolder()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("file", "");
        Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.Write(Path.Combine(file, "out.json"), _ => { }));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Write_UnwritableFolder_SaysSo()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "Permissions do not bind this user.");
        using var folder = new TemporaryFolder();
        File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var thrown = Assert.Throws<UnauthorizedAccessException>(() => AtomicFile.Write(folder.File("out.json"), _ => { }));
        Assert.Contains("is not writable", thrown.Message, StringComparison.Ordinal);
        File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void Write_SymbolicLink_ReplacesTheFileBehindIt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege on Windows.");
        using var folder = new TemporaryFolder();
        var real = folder.Write("real.json", "old");
        File.CreateSymbolicLink(folder.File("link.json"), real);

        AtomicFile.Write(folder.File("link.json"), stream => stream.Write("new"u8));

        Assert.Equal("new", File.ReadAllText(real));
        Assert.Equal(real, new FileInfo(folder.File("link.json")).LinkTarget);
    }

    [Fact]
    public void Write_Device_IsWrittenNotReplaced()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/dev/full is a Linux device.");
        AtomicFile.Write("/dev/null", stream => stream.Write("gone"u8));
        Assert.Equal("", File.ReadAllText("/dev/null"));
        Assert.ThrowsAny<IOException>(() => AtomicFile.Write("/dev/full", stream => stream.Write(new byte[100_000])));
    }

    [Fact]
    public void EnsureWritable_ExistingFile_LeavesItAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("out.json", "old");

        AtomicFile.EnsureWritable(path);
        AtomicFile.EnsureWritable(folder.File("new.json"));

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["out.json"], folder.Names());
    }

    [Fact]
    public void EnsureWritable_FolderOrMissingFolder_FailsAsWriteDoes()
    {
        using var folder = new TemporaryFolder();

        Assert.Throws<IOException>(() => AtomicFile.EnsureWritable(folder.FullName));
        Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.EnsureWritable(folder.File("absent/out.json")));
    }
}

using System.Diagnostics;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace MLNetLoRA.Modeling.Tests.Native;

[SupportedOSPlatform("linux")]
public sealed class NativeLibraryCacheTests : IDisposable
{
    private const string FileName = "libexample.so", Nobody = "65534";
    private const UnixFileMode Everyone = (UnixFileMode)0b111_111_111;
    private static readonly byte[] Content = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 7))];

    private readonly string _root;

    public NativeLibraryCacheTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Adjusted copies exist on Linux only: owners and modes are those of Linux.");
        _root = Directory.CreateTempSubdirectory("mlnetlora-cache-").FullName;
    }

    public void Dispose()
    {
        if (_root is not null) Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public void Store_EmptyRoot_WritesTheContentForTheOwnerAlone()
    {
        var path = NativeLibraryCache.Store(_root, FileName, Content);

        Assert.Equal(Content, File.ReadAllBytes(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Content)), Path.GetFileName(Path.GetDirectoryName(path)));
        for (var folder = Path.GetDirectoryName(path)!; folder != _root; folder = Path.GetDirectoryName(folder)!)
            Assert.Equal("0700", FileStatus.Of(folder)!.Value.Permissions);
        AssertNoLeftovers(path);
    }

    [Fact]
    public void Store_GoodCopyThere_LeavesItUntouched()
    {
        var path = NativeLibraryCache.Store(_root, FileName, Content);
        var past = new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, past);

        Assert.Equal(path, NativeLibraryCache.Store(_root, FileName, Content));
        Assert.Equal(past, File.GetLastWriteTimeUtc(path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(99_999)]
    public void Store_OneByteTampered_IsReplaced(int at)
    {
        var path = NativeLibraryCache.Store(_root, FileName, Content);
        var tampered = Content.ToArray();
        tampered[at] ^= 1;
        File.WriteAllBytes(path, tampered);

        NativeLibraryCache.Store(_root, FileName, Content);

        Assert.Equal(Content, File.ReadAllBytes(path));
        AssertNoLeftovers(path);
    }

    [Fact]
    public void Store_CopyWritableByOthers_IsReplacedByAPrivateOne()
    {
        var path = NativeLibraryCache.Store(_root, FileName, Content);
        File.SetUnixFileMode(path, Everyone);

        NativeLibraryCache.Store(_root, FileName, Content);

        Assert.Equal("0600", FileStatus.Of(path)!.Value.Permissions);
    }

    [Fact]
    public void Store_LinkInPlaceOfTheCopy_IsReplacedAndItsTargetUntouched()
    {
        var path = NativeLibraryCache.Store(_root, FileName, Content);
        var target = Path.Join(_root, "elsewhere");
        File.WriteAllBytes(target, Content);
        File.Delete(path);
        File.CreateSymbolicLink(path, target);
        var linkTime = File.GetLastWriteTimeUtc(target);

        NativeLibraryCache.Store(_root, FileName, Content);

        Assert.True(FileStatus.Of(path)!.Value.IsRegularFile);
        Assert.Equal(linkTime, File.GetLastWriteTimeUtc(target));
    }

    [Theory]
    [InlineData("")]
    [InlineData("mlnetlora")]
    [InlineData("mlnetlora/native")]
    public void Store_FolderWritableByOthers_IsRefusedWithItsModeAndTheCommandToMendIt(string folder)
    {
        NativeLibraryCache.Store(_root, FileName, Content);
        var open = Path.TrimEndingDirectorySeparator(Path.Join(_root, folder));
        File.SetUnixFileMode(open, Everyone);

        var refusal = Assert.Throws<IOException>(() => NativeLibraryCache.Store(_root, FileName, Content));

        Assert.Equal($"{open} has mode 0777, so that others could put code there; run chmod go-w on it.", refusal.Message);
    }

    [Fact]
    public void Store_RootAboveWhichOthersMayWrite_IsRefused()
    {
        var inner = Directory.CreateDirectory(Path.Join(_root, "inner")).FullName;
        File.SetUnixFileMode(_root, Everyone);

        var refusal = Assert.Throws<IOException>(() => NativeLibraryCache.Store(inner, FileName, Content));

        Assert.Contains($"{_root} has mode 0777", refusal.Message);
        Assert.Empty(Directory.GetFileSystemEntries(inner));
    }

    [Theory]
    [InlineData("mlnetlora")]
    [InlineData("mlnetlora/native")]
    public void Store_LinkInPlaceOfAFolder_IsRefused(string folder)
    {
        var link = Path.Join(_root, folder);
        Directory.CreateDirectory(Path.GetDirectoryName(link)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var target = Directory.CreateDirectory(Path.Join(_root, "target")).FullName;
        Directory.CreateSymbolicLink(link, target);

        Assert.Contains($"{link} is a link", Assert.Throws<IOException>(() => NativeLibraryCache.Store(_root, FileName, Content)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(target));
    }

    [Fact]
    public void Store_RootIsALink_FollowsItToAPrivateFolder()
    {
        var target = Directory.CreateDirectory(Path.Join(_root, "target")).FullName;
        var link = Path.Join(_root, "link");
        Directory.CreateSymbolicLink(link, target);

        Assert.StartsWith(target + "/", NativeLibraryCache.Store(link, FileName, Content));
    }

    [Fact]
    public void Store_FolderOfAnotherUser_IsRefused()
    {
        Assert.SkipUnless(FileStatus.CurrentUser == 0, "Only root can give a folder to another user.");
        var folder = Path.GetDirectoryName(Path.GetDirectoryName(NativeLibraryCache.Store(_root, FileName, Content)))!;
        GiveAway(folder);

        var refusal = Assert.Throws<IOException>(() => NativeLibraryCache.Store(_root, FileName, Content));

        Assert.Contains($"{folder} belongs to user {Nobody}", refusal.Message);
    }

    [Fact]
    public void Store_CopyOfAnotherUser_IsReplacedByOurs()
    {
        Assert.SkipUnless(FileStatus.CurrentUser == 0, "Only root can give a file to another user.");
        var path = NativeLibraryCache.Store(_root, FileName, Content);
        GiveAway(path);

        NativeLibraryCache.Store(_root, FileName, Content);

        Assert.Equal(FileStatus.CurrentUser, FileStatus.Of(path)!.Value.Owner);
    }

    [Fact]
    public void Store_RelativeRoot_IsRefused()
    {
        var refusal = Assert.Throws<IOException>(() => NativeLibraryCache.Store("cache", FileName, Content));
        Assert.Contains("'cache' is not a full path", refusal.Message);
    }

    [Fact]
    public async Task Store_EightAtOnce_YieldOneGoodFileAndNoLeftovers()
    {
        using var start = new Barrier(8);
        var token = TestContext.Current.CancellationToken;
        var stores = Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                start.SignalAndWait(token);
                var path = NativeLibraryCache.Store(_root, FileName, Content);
                Assert.Equal(Content, File.ReadAllBytes(path));
                return path;
            },
            token, TaskCreationOptions.LongRunning, TaskScheduler.Default));

        var path = Assert.Single((await Task.WhenAll(stores)).Distinct());
        AssertNoLeftovers(path);
    }

    [Fact]
    public void Store_CopyCannotBeWritten_LeavesNothingBehind()
    {
        var path = NativeLibraryCache.Store(_root, FileName, Content);
        File.Delete(path);
        Directory.CreateDirectory(path);   // a rename onto a folder fails

        Assert.ThrowsAny<Exception>(() => NativeLibraryCache.Store(_root, FileName, Content));
        AssertNoLeftovers(path);
    }

    [Fact]
    public void Roots_AllSet_PrefersTheOwnVariableAndKnowsNoSharedFolder()
    {
        var variables = new Dictionary<string, string> { ["MLNETLORA_CACHE"] = "/own", ["XDG_CACHE_HOME"] = "/xdg", ["TMPDIR"] = "/tmp" };
        Assert.Equal(["/own", "/xdg", "/home/me/.cache"], NativeLibraryCache.Roots(variables.GetValueOrDefault, "/home/me"));
        Assert.Empty(NativeLibraryCache.Roots(_ => null, ""));
    }

    [Fact]
    public void Roots_RelativeXdgFolder_IsIgnoredAsItsSpecificationSays() =>
        Assert.Equal(["/home/me/.cache"], NativeLibraryCache.Roots(name => name == "XDG_CACHE_HOME" ? "relative" : null, "/home/me"));

    private static void GiveAway(string path)
    {
        using var chown = Process.Start("chown", [Nobody, path]);
        chown.WaitForExit();
        Assert.Equal(0, chown.ExitCode);
    }

    private static void AssertNoLeftovers(string path) =>
        Assert.Equal([path], Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
}

using System.Text;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Native;

public sealed class LibTorchVersionTests : IDisposable
{
    private const string Header = "#pragma once\n\n/// Indicates the major version\n#define TORCH_VERSION_MAJOR 2\n\n"
        + "/// Indicates the minor version\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("version.py", "from typing import Optional\n__all__ = ['__version__']\n__version__ = '2.10.0+cu128'\ndebug = False\n", 2, 10, "2.10.0+cu128")]
    [InlineData("version.py", "__version__: str = \"2.11.0a0+git123\"\n", 2, 11, "2.11.0a0+git123")]
    [InlineData("build-version", "2.10.1+cpu\n", 2, 10, "2.10.1+cpu")]
    [InlineData("include/torch/csrc/api/include/torch/version.h", Header, 2, 9, "2.9")]
    [InlineData("include/torch/headeronly/version.h", Header, 2, 9, "2.9")]
    [InlineData("share/cmake/Torch/TorchConfigVersion.cmake", "# c\nset(PACKAGE_VERSION \"2.7.1\")\n", 2, 7, "2.7.1")]
    public void Read_OneSource_TellsItsVersion(string file, string text, int major, int minor, string all)
    {
        var path = Write(file, text);
        Assert.Equal(new LibTorchVersion(major, minor, all, path), LibTorchVersion.Read(Lib("lib"), TorchPlatform.Linux));
    }

    [Fact]
    public void Read_SystemFolder_FindsHeadersOneFolderHigher()
    {
        Write("include/torch/csrc/api/include/torch/version.h", Header);
        Assert.Equal((2, 9), Numbers(LibTorchVersion.Read(Lib("lib/x86_64-linux-gnu"), TorchPlatform.Linux)));
    }

    [Fact]
    public void Read_NuGetPackage_TakesItsManifest()
    {
        Write("libtorch-cpu-linux-x64.nuspec", "<package><metadata><id>libtorch</id><version>2.10.0</version></metadata></package>");
        Assert.Equal((2, 10), Numbers(LibTorchVersion.Read(Lib("runtimes/linux-x64/native"), TorchPlatform.Linux)));
    }

    [Fact]
    public void Read_LinkedName_CarriesTheVersion()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making a link needs a privilege there.");
        var lib = Lib("lib");
        File.WriteAllText(Path.Join(lib, "libtorch_cpu.so.1.13.0"), "");
        File.CreateSymbolicLink(Path.Join(lib, "libtorch_cpu.so"), "libtorch_cpu.so.1.13.0");
        Assert.Equal((1, 13), Numbers(LibTorchVersion.Read(lib, TorchPlatform.Linux)));
    }

    [Theory]
    [InlineData(10)]
    [InlineData((1 << 20) + 61)]          // across two blocks
    [InlineData((1 << 20) - 3)]
    [InlineData((2 << 20) + 60)]
    public void Read_TextInTheLibrary_IsFoundWhereverItLies(int at)
    {
        var lib = Lib("lib");
        WriteLibrary(lib, (at, "2.10.0+cpu"), (at + 40, "2.10.0+cpu"));
        Assert.Equal("2.10.0+cpu", LibTorchVersion.Read(lib, TorchPlatform.Linux)?.Text);
    }

    [Fact]
    public void Read_TwoVersionsInTheLibrary_IsNoGuess()
    {
        var lib = Lib("lib");
        WriteLibrary(lib, (100, "2.10.0"), (500, "1.5.0"));
        Assert.Null(LibTorchVersion.Read(lib, TorchPlatform.Linux));
    }

    [Theory]
    [InlineData("version.py", "__version__ = torch_version()\n")]
    [InlineData("version.py", "__version__ = '2'\n")]
    [InlineData("build-version", "2.10.0 and more")]
    [InlineData("build-version", "99999999999.1.0")]
    [InlineData("include/torch/csrc/api/include/torch/version.h", "#define TORCH_VERSION_MAJOR 2\n")]
    public void Read_NothingThatTells_IsNull(string file, string text)
    {
        Write(file, text);
        Assert.Null(LibTorchVersion.Read(Lib("lib"), TorchPlatform.Linux));
    }

    [Fact]
    public void Read_PackagesOwnLibraries_AreTheVersionTorchSharpNames()
    {
        var main = NativeSearchPath.Find(
            NativeSearchPath.Of(typeof(TorchSharp.DeviceType).Assembly), TorchPlatform.Current.FileName(LibTorchFolder.MainLibrary))!;
        var version = LibTorchVersion.Read(Path.GetDirectoryName(main)!, TorchPlatform.Current);
        Assert.True(version is { IsWanted: true }, $"{version}");
        Assert.StartsWith($"{LibTorchVersion.WantedMajor}.{LibTorchVersion.WantedMinor}.", TorchSharp.torch.__version__);
    }

    private static (int, int)? Numbers(LibTorchVersion? version) => version is null ? null : (version.Major, version.Minor);

    private string Lib(string below) => Directory.CreateDirectory(_folder.File(below)).FullName;

    private string Write(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(file))!);
        return _folder.Write(file, text);
    }

    private static void WriteLibrary(string lib, params (int At, string Text)[] texts)
    {
        var bytes = new byte[3 << 20];
        foreach (var (at, text) in texts) Encoding.ASCII.GetBytes(text).CopyTo(bytes, at);
        File.WriteAllBytes(Path.Join(lib, "libtorch_python.so"), bytes);
    }
}

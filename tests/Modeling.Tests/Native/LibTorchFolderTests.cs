using System.Runtime.InteropServices;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Native;

public sealed class LibTorchFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("lib")]
    [InlineData("torch/lib")]
    [InlineData("libtorch/lib")]
    public void Find_LibrariesBelow_AreFound(string below)
    {
        var place = Put(below, "libtorch_cpu.so", new SyntheticElf().Build());
        Assert.Equal(place, Find());
    }

    [Fact]
    public void Find_NoFolder_SaysSoAndWhatToDo()
    {
        var message = Refusal(() => LibTorchFolder.Find(_folder.File("none"), TorchPlatform.Linux, Architecture.X64));
        Assert.Contains($"'{_folder.File("none")}', from MLNETLORA_LIBTORCH", message);
        Assert.Contains("there is no such folder", message);
        Assert.Contains("Name a folder with libtorch 2.10", message);
        Assert.Contains("unset MLNETLORA_LIBTORCH", message);
    }

    [Fact]
    public void Find_AFile_SaysSo() =>
        Assert.Contains("it is a file", Refusal(() => LibTorchFolder.Find(_folder.Write("x", ""), TorchPlatform.Linux, Architecture.X64)));

    [Fact]
    public void Find_NothingInside_NamesWhatIsWanted() => Assert.Contains("libtorch/lib in it holds libtorch_cpu.so", Refusal(() => Find()));

    [Theory]
    [InlineData("torch_cpu.dll", "Windows")]
    [InlineData("libtorch_cpu.dylib", "macOS")]
    public void Find_LibrariesOfAnotherSystem_NamesIt(string file, string system)
    {
        Put("lib", file, [0]);
        Assert.Contains($"it holds {file}, a libtorch for {system}, and no libtorch_cpu.so", Refusal(() => Find()));
    }

    [Fact]
    public void Find_AnotherProcessor_NamesBoth()
    {
        Put("", "libtorch_cpu.so", new SyntheticElf(183).Build());
        Assert.Contains("is built for Linux on arm64, this process is Linux on x64", Refusal(() => Find()));
    }

    [Fact]
    public void Find_LibraryThatIsNone_SaysSo()
    {
        Put("", "libtorch_cpu.so", "version https://git-lfs.github.com/spec/v1"u8.ToArray());
        Assert.Contains("libtorch_cpu.so is not a native library", Refusal(() => Find()));
    }

    private string Find() => LibTorchFolder.Find(_folder.FullName, TorchPlatform.Linux, Architecture.X64);

    private static string Refusal(Action find) => Assert.Throws<DllNotFoundException>(find).Message;

    private string Put(string below, string name, byte[] content)
    {
        var place = Directory.CreateDirectory(Path.TrimEndingDirectorySeparator(_folder.File(below))).FullName;
        File.WriteAllBytes(Path.Join(place, name), content);
        return Path.TrimEndingDirectorySeparator(place);
    }
}

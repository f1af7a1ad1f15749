using System.Buffers.Binary;
using System.Diagnostics;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Native;

/// <summary>Real loads, each in a process of its own.</summary>
public sealed class SelfTestProcessTests : IDisposable
{
    private static readonly string Packaged = Path.GetDirectoryName(NativeSearchPath.Find(
        NativeSearchPath.Of(typeof(TorchSharp.DeviceType).Assembly), TorchPlatform.Current.FileName(LibTorchFolder.MainLibrary)))!;

    private readonly TemporaryFolder _folder = new();

    public SelfTestProcessTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "The folders are made for Linux' loader.");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Run_LibrariesThatFit_Passes() => Assert.Null(SelfTestProcess.Run(Packaged));

    [Fact]
    public void Run_LibraryWithoutItsSymbols_NamesAMissingOne()
    {
        PutStandIns();
        Assert.Contains("undefined symbol: ", SelfTestProcess.Run(_folder.FullName));
    }

    [Fact]
    public void Run_LibraryThatCrashes_NamesTheSignalAndThisProcessLives()
    {
        PutStandIns();
        File.WriteAllBytes(_folder.File("libtorch_cpu.so"), Crashing());
        Assert.StartsWith("it ended with signal 11 (SIGSEGV) in 'load'", SelfTestProcess.Run(_folder.FullName));
    }

    [Fact]
    public void Run_TooSlow_IsEndedAndSaysSo()
    {
        var program = ProgramStart.Find(HostFacts.Current(), out _)!;
        Assert.Equal("it did not end within 0 seconds", SelfTestProcess.Run(program, Packaged, TimeSpan.FromMilliseconds(1)));
    }

    [Fact]
    public void Run_NoSuchProgram_SaysSo() => Assert.StartsWith(
        "/nowhere/app could not be started", SelfTestProcess.Run(new ProgramStart("/nowhere/app", []), Packaged, TimeSpan.FromSeconds(1)));

    // A copy, so that the process would have two of them if the packages' one were not kept out: that ends it.
    [Fact]
    public void Program_WithAnotherVersionThatPasses_RunsOnIt()
    {
        foreach (var name in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so", "libgomp-98b21ff3.so.1"])
            File.Copy(Path.Join(Packaged, name), Path.Join(Directory.CreateDirectory(_folder.File("lib")).FullName, name));
        _folder.Write("build-version", "2.9.0+cpu");

        var (exitCode, output) = RunOneTest(nameof(TorchNativeLibraryTests.Torch_OnANamedLibTorch_HasNoOther), allowMismatch: true);

        Assert.True(exitCode == 0, output);
        Assert.Contains("Failed: 0, Skipped: 0", output);
    }

    [Fact]
    public void Program_WithAnotherVersionNotAllowed_SaysSoAtTheFirstUse()
    {
        PutStandIns();
        _folder.Write("libtorch_python.so", "\0" + "2.9.0" + "\0");
        var (exitCode, output) = RunOneTest(nameof(TorchNativeLibraryTests.Torch_TouchedBeforeAnythingOfOurs_Adds), allowMismatch: false);
        Assert.NotEqual(0, exitCode);
        Assert.Contains("System.DllNotFoundException: MLNetLoRA: the libtorch in", output);
        Assert.Contains("it is version 2.9.0", output);
    }

    private void PutStandIns()
    {
        foreach (var name in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so"])
            File.WriteAllBytes(_folder.File(name), StandInLibrary.Build(name));
    }

    // The loader calls DT_INIT (12) of a library it loads; here that is a place which holds no code.
    private static byte[] Crashing()
    {
        var image = StandInLibrary.Build("libtorch_cpu.so", "libm.so.6");
        for (var at = 0; at + 16 <= image.Length; at += 8)
            if (BinaryPrimitives.ReadUInt64LittleEndian(image.AsSpan(at)) == 1 && at > 256)
                BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at), 12);
        return image;
    }

    private (int ExitCode, string Output) RunOneTest(string method, bool allowMismatch)
    {
        var program = ProgramStart.Find(HostFacts.Current(), out _)!;
        var info = new ProcessStartInfo(program.FileName, [.. program.Arguments, "-method", $"*.{nameof(TorchNativeLibraryTests)}.{method}", "-noColor"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        info.Environment[ExistingTorch.FolderVariable] = _folder.FullName;
        info.Environment[ExistingTorch.MismatchVariable] = allowMismatch ? "1" : "0";
        using var process = Process.Start(info)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}

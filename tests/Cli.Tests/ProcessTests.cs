using System.Diagnostics;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests;

/// <summary>The program as a user starts it.</summary>
public class ProcessTests(TinyBase tiny)
{
    [Fact]
    public void TrainedModel_InTwoOtherProcesses_ScoresIdentically()
    {
        using var folder = new TemporaryFolder();
        Start([.. tiny.Train(), "--device", "cpu", "--out", folder.File("m.mlnet")]);

        Start("predict", "--model", folder.File("m.mlnet"), "--data", tiny.Rows, "--out", folder.File("1.tsv"), "--device", "cpu");
        Start("predict", "--model", folder.File("m.mlnet"), "--data", tiny.Rows, "--out", folder.File("2.tsv"), "--device", "cpu");

        Assert.Equal(25, File.ReadLines(folder.File("1.tsv")).Count());
        Assert.Equal(File.ReadAllBytes(folder.File("1.tsv")), File.ReadAllBytes(folder.File("2.tsv")));
    }

    [Fact]
    public void UnknownVerb_ExitsWithTwo()
    {
        var (code, output, error) = Run("guess");

        Assert.Equal((2, ""), (code, output));
        Assert.Equal("mlnet-lora: There is no verb 'guess'; use one of: train, predict, forward, info. See mlnet-lora --help.", error.Trim());
    }

    [Fact]
    public void Interrupt_WhileTraining_StopsWithOneAndLeavesNothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signal to send to one process.");
        using var folder = new TemporaryFolder();
        using var process = Process.Start(StartOf([.. tiny.TrainAtDefaults(), "--epochs", "1000000", "--device", "cpu", "--out", folder.File("m.mlnet")]))!;
        while (process.StandardError.ReadLine() is { } line && !line.StartsWith("Epoch 1:", StringComparison.Ordinal)) { }

        using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"])) kill.WaitForExit();
        var said = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.Equal(CommandLine.Failed, process.ExitCode);
        Assert.EndsWith("mlnet-lora: Stopped; nothing was written.\n", said);
        Assert.Empty(folder.Names());
    }

    private static void Start(params string[] arguments)
    {
        var (code, _, error) = Run(arguments);
        Assert.True(code == CommandLine.Done, error);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using var process = Process.Start(StartOf(arguments))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }

    // One thread each: several small processes at once would otherwise fight for the same cores.
    private static ProcessStartInfo StartOf(string[] arguments) =>
        new("dotnet", [Path.Combine(AppContext.BaseDirectory, "MLNetLoRA.Cli.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["OMP_NUM_THREADS"] = "1" },
        };
}

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
        Assert.Equal("mlnet-lora: There is no verb 'guess'; use one of: train, predict, forward, generate, info, inspect, rescale, forget, continual, study. See mlnet-lora --help.", error.Trim());
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

    [Fact]
    public void Interrupt_WhileTrainingWithCheckpoints_GoesOnFromThereToTheSameModel()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signal to send to one process.");
        using var folder = new TemporaryFolder();
        string[] arguments =
        [
            "train", "--task", "masked", "--base", tiny.Folder, "--data", tiny.Text, "--validation", tiny.Text, "--evaluate-every", "1", "--batch-size", "2",
            "--epochs", "60", "--max-tokens", "32", "--device", "cpu", "--checkpoint", folder.File("checkpoints"),
        ];
        using var process = Process.Start(StartOf([.. arguments, "--out", folder.File("first")]))!;
        while (process.StandardError.ReadLine() is { } line && !line.StartsWith("Step 3 ", StringComparison.Ordinal)) { }

        using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"])) kill.WaitForExit();
        var said = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.Equal(CommandLine.Failed, process.ExitCode);
        Assert.EndsWith($"mlnet-lora: Stopped; the same command with --resume goes on from the last checkpoint in {folder.File("checkpoints")}.\n", said);
        Assert.Single(Directory.GetDirectories(folder.File("checkpoints")));
        Assert.False(Directory.Exists(folder.File("first")));

        Start([.. arguments, "--resume", "--out", folder.File("resumed")]);
        arguments[^1] = folder.File("others");
        Start([.. arguments, "--out", folder.File("whole")]);
        Assert.Equal(File.ReadAllBytes(folder.File("whole/model.safetensors")), File.ReadAllBytes(folder.File("resumed/model.safetensors")));
    }

    [Fact]
    public void FullDisk_WhileACheckpointIsWritten_SaysSoAndLeavesTheOneBefore()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "A file system of a given size is Linux's.");
        using var folder = new TemporaryFolder();
        var checkpoints = folder.File("checkpoints");
        string[] arguments =
        [
            "train", "--task", "masked", "--base", tiny.Folder, "--data", tiny.Text, "--batch-size", "2", "--epochs", "2", "--max-tokens", "32",
            "--device", "cpu", "--checkpoint", checkpoints,
        ];
        var model = new FileInfo(Path.Combine(tiny.Folder, "model.safetensors")).Length;
        Start([.. arguments, "--checkpoint-every", "10", "--max-steps", "12"]);
        var before = Contents(checkpoints);
        Assert.NotEmpty(before);

        // No file may grow beyond one and a half times the weights: they fit, the optimizer's moments do not. Without the setting .NET's own
        // executable memory counts as such a file.
        var start = StartOf([.. arguments, "--checkpoint-every", "2", "--max-steps", "12", "--resume"]);
        var limited = new ProcessStartInfo("bash", ["-c", $"ulimit -f {model * 3 / 2 / 1024}; trap '' XFSZ; exec \"$0\" \"$@\"", start.FileName, .. start.ArgumentList])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["OMP_NUM_THREADS"] = "1", ["DOTNET_EnableWriteXorExecute"] = "0" },
        };
        using var process = Process.Start(limited)!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.Equal(CommandLine.Failed, process.ExitCode);
        Assert.Contains($"mlnet-lora: {Path.Combine(checkpoints, "step-12")}: the checkpoint could not be written: ", error);
        Assert.EndsWith("The one after step 10 is whole: free some space, and resume from it.\n", error);
        Assert.Equal(before, Contents(checkpoints));
        Start([.. arguments, "--checkpoint-every", "2", "--max-steps", "12", "--resume"]);

        static Dictionary<string, int> Contents(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(path => path, path => File.ReadAllBytes(path).Aggregate(17, HashCode.Combine));
    }

    [Fact]
    public void Rescale_OnAFullDisk_FailsAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        var before = TensorFile.Write(folder.File("base.safetensors"), 1, ("a.weight", [64, 64]));
        var after = TensorFile.Write(folder.File("tuned.safetensors"), 2, ("a.weight", [64, 64]));
        var disk = Directory.CreateDirectory(folder.File("disk")).FullName;
        string[] program = ["dotnet", Program, "rescale", "--base", before, "--tuned", after, "--scale", "0", "--out", Path.Combine(disk, "out"), "--no-cache"];

        // A disk of two pages, which only this process sees.
        var (code, output, error) = RunAsOwnRoot("mount -t tmpfs -o size=8k none \"$0\" && { \"$@\"; code=$?; ls -A \"$0\"; exit $code; }", [disk, .. program]);

        Assert.Equal((CommandLine.Failed, ""), (code, output));
        Assert.StartsWith($"mlnet-lora: {Path.Combine(disk, "out")}: nothing was written: No space left on device", error);
    }

    private static void Start(params string[] arguments)
    {
        var (code, _, error) = Run(arguments);
        Assert.True(code == CommandLine.Done, error);
    }

    private static (int Code, string Output, string Error) RunAsOwnRoot(string script, params string[] arguments)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux lets a process have a disk of its own.");
        Assert.SkipUnless(Run(Quiet(new ProcessStartInfo("sh", ["-c", "unshare -rm mount -t tmpfs none /mnt"]))).Code == 0, "This system lets no process have mounts of its own.");
        return Run(Quiet(new ProcessStartInfo("unshare", ["-rm", "sh", "-c", script, .. arguments])));
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments) => Run(StartOf(arguments));

    private static (int Code, string Output, string Error) Run(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "MLNetLoRA.Cli.dll");

    private static ProcessStartInfo StartOf(string[] arguments) => Quiet(new ProcessStartInfo("dotnet", [Program, .. arguments]));

    // One thread each: several small processes at once would otherwise fight for the same cores.
    private static ProcessStartInfo Quiet(ProcessStartInfo start)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        start.Environment["OMP_NUM_THREADS"] = "1";
        return start;
    }
}

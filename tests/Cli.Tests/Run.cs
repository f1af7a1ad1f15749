using System.Text.Json;

namespace MLNetLoRA.Cli.Tests;

/// <summary>One run of the program inside this process: what it returned and said.</summary>
internal sealed record Run(int ExitCode, string Output, string Error)
{
    public static Run Of(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        return new Run(CommandLine.Invoke(arguments, output, error), output.ToString(), error.ToString());
    }

    /// <summary>Runs, and gives the JSON that the run wrote.</summary>
    public static JsonElement Json(string path, params string[] arguments)
    {
        var run = Of([.. arguments, "--json", path]);
        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
        return JsonDocument.Parse(File.ReadAllBytes(path)).RootElement.Clone();
    }

    /// <summary>Exit code 2, and one line on standard error that holds the text; nothing on standard output.</summary>
    public void AssertRefused(string expected)
    {
        Assert.Equal((CommandLine.BadInput, ""), (ExitCode, Output));
        Assert.StartsWith("mlnet-lora: ", Error);
        Assert.Equal(Error.Length - 1, Error.IndexOf('\n'));
        Assert.Contains(expected, Error);
    }
}

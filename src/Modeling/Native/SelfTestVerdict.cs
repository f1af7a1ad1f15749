namespace MLNetLoRA.Modeling;

/// <summary>What the end of a self-test's process means.</summary>
internal static class SelfTestVerdict
{
    /// <summary>What the process writes when all of it is right; before a check "running" and its name; after a wrong one "failed" and why.</summary>
    public const string Passed = "passed", Running = "running: ", Failed = "failed: ";

    private const int FirstSignal = 128, LastSignal = FirstSignal + 64, MaxHint = 400;

    private static readonly Dictionary<int, string> Signals =
        new() { [4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE", [9] = "SIGKILL", [11] = "SIGSEGV" };

    /// <summary>Null when the test passed; otherwise the reason, as half a sentence.</summary>
    /// <param name="exitCode">The process's.</param>
    /// <param name="written">The last that it wrote about itself; null when it wrote nothing.</param>
    /// <param name="errors">Its standard error.</param>
    public static string? Of(int exitCode, string? written, string errors)
    {
        if (written is null) return $"the process ended with {Spell(exitCode)} before the self-test began{Hint(errors)}";
        if (written.StartsWith(Failed, StringComparison.Ordinal)) return written[Failed.Length..];
        if (written == Passed) return exitCode == 0 ? null : $"every check was right, but the process ended with {Spell(exitCode)}{Hint(errors)}";
        var step = written.StartsWith(Running, StringComparison.Ordinal) ? written[Running.Length..] : written;
        return $"it ended with {Spell(exitCode)} in '{step}'{Hint(errors)}";
    }

    private static string Spell(int exitCode)
    {
        if (exitCode < 0) return $"exit code 0x{exitCode:X8}";      // a Windows exception
        if (exitCode is <= FirstSignal or > LastSignal) return $"exit code {exitCode}";
        var signal = exitCode - FirstSignal;
        return $"signal {signal}{(Signals.TryGetValue(signal, out var name) ? $" ({name})" : "")}";
    }

    // The loader's last words and what an uncaught C++ exception says stand first; stack traces follow.
    private static string Hint(string errors)
    {
        var line = errors.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return line is null ? "" : $": {(line.Length > MaxHint ? line[..MaxHint] + "…" : line)}";
    }
}

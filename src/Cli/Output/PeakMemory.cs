using System.Diagnostics;
using System.Globalization;

namespace MLNetLoRA.Cli.Output;

/// <summary>The most memory that this process has held at once.</summary>
internal static class PeakMemory
{
    private const string Status = "/proc/self/status";
    private const string Field = "VmHWM:";

    /// <summary>Peak resident set in bytes.</summary>
    public static long Bytes
    {
        get
        {
            // Where the kernel says it, it counts memory that the runtime does not know of, libtorch's included.
            if (File.Exists(Status) && File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal)) is { } line)
                return long.Parse(line[Field.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) * 1024;
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
    }
}

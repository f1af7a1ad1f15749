using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;

namespace MLNetLoRA.Modeling;

/// <summary>Tries a libtorch in a process of its own, so that what it breaks is not the application.</summary>
/// <remarks>
/// May run inside a module initializer: no code of this assembly runs on another thread meanwhile, since that would wait for the initializer.
/// </remarks>
internal static class SelfTestProcess
{
    /// <summary>The longest a self-test may take: loading alone is slow from a cold or distant disk.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(5);

    /// <summary>Null when the libtorch in the folder passes; otherwise why not, as half a sentence.</summary>
    public static string? Run(string folder) =>
        ProgramStart.Find(HostFacts.Current(), out var obstacle) is { } program ? Run(program, folder, Limit) : obstacle;

    /// <summary>The same, with this program and within this time.</summary>
    public static string? Run(ProgramStart program, string folder, TimeSpan limit)
    {
        var place = Directory.CreateTempSubdirectory("mlnetlora-selftest-");
        try
        {
            var result = Path.Join(place.FullName, "result");
            using var process = Process.Start(StartInfo(program, folder, result))!;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync();       // read, lest a full pipe stop it
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(limit))
            {
                process.Kill(entireProcessTree: true);
                return $"it did not end within {limit.TotalSeconds:F0} seconds";
            }
            Task.WaitAll([output, errors], LastWords);
            return SelfTestVerdict.Of(
                process.ExitCode, File.Exists(result) ? File.ReadAllText(result) : null, errors.IsCompletedSuccessfully ? errors.Result : "");
        }
        catch (Win32Exception exception)
        {
            return $"{program.FileName} could not be started ({exception.Message})";
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    private static ProcessStartInfo StartInfo(ProgramStart program, string folder, string result)
    {
        var info = new ProcessStartInfo(program.FileName, program.Arguments)
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        info.Environment["DOTNET_STARTUP_HOOKS"] = HookName();
        info.Environment["DOTNET_DbgEnableMiniDump"] = "0";         // it is meant to be able to crash
        info.Environment[ExistingTorch.FolderVariable] = folder;
        info.Environment[LibTorchSelfTest.ResultVariable] = result;
        return info;
    }

    // By path, or by name where the assembly has no file of its own or the path would be read as two.
    private static string HookName()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.Location is { Length: > 0 } path && !path.Contains(Path.PathSeparator, StringComparison.Ordinal)
            ? path
            : assembly.GetName().Name!;
    }
}

using System.Reflection;

namespace MLNetLoRA.Modeling;

/// <summary>How to start this program once more, so that the new process finds the same assemblies and native libraries.</summary>
/// <remarks>
/// The new process never reaches the program's own code: a startup hook (environment variable DOTNET_STARTUP_HOOKS) runs before it. A hook
/// is the one way that needs no file besides the application's, so that it works from a single file too, and no cooperation of the
/// entry program, which may be a test host. A program of our own in the package would need the dotnet command and could not find TorchSharp
/// inside a single file; starting the program again and hoping that a module initializer comes first could run it twice.
/// </remarks>
/// <param name="FileName">What to run.</param>
/// <param name="Arguments">With what.</param>
internal sealed record ProgramStart(string FileName, IReadOnlyList<string> Arguments)
{
    /// <summary>How to start it; otherwise why it cannot be started.</summary>
    public static ProgramStart? Find(HostFacts host, out string obstacle)
    {
        obstacle = "";
        if (!host.RunsStartupHooks) obstacle = "this program is built without startup hooks (trimmed, or StartupHookSupport is false), which it needs";
        else if (host.ProcessPath is not { } process || host.EntryName is not { } entry) obstacle = "this process was not started as a .NET program";
        else if (host.EntryLocation is "") return new ProgramStart(process, []);     // all in one file
        else if (Is(process, "dotnet")) return new ProgramStart(process, ThroughDotnet(host));
        else if (Is(process, entry)) return new ProgramStart(process, []);
        else obstacle = $"{process} hosts {entry} in a way in which it cannot be started a second time";
        return null;
    }

    private static bool Is(string process, string name) =>
        Path.GetFileName(process) == name || Path.GetFileName(process).Equals(name + ".exe", StringComparison.OrdinalIgnoreCase);

    // A test host is told on its command line where the settings and dependencies of the tests lie; beside an ordinary program they lie anyway.
    private static List<string> ThroughDotnet(HostFacts host)
    {
        List<string> arguments = ["exec"];
        if (host.DependencyFile is { } dependencies)
        {
            arguments.AddRange(["--depsfile", dependencies]);
            var settings = dependencies.Replace(".deps.json", ".runtimeconfig.json", StringComparison.Ordinal);
            if (host.FileExists(settings)) arguments.AddRange(["--runtimeconfig", settings]);
        }
        arguments.Add(host.EntryLocation!);
        return arguments;
    }
}

/// <summary>What is known of how this process was started.</summary>
/// <param name="ProcessPath">The executable.</param>
/// <param name="EntryName">Name of the assembly whose Main runs; null in a process that is no .NET program itself.</param>
/// <param name="EntryLocation">Its file; empty in a single file.</param>
/// <param name="DependencyFile">The program's deps.json, or null.</param>
/// <param name="RunsStartupHooks">Whether startup hooks are on.</param>
/// <param name="FileExists">Asks for a file.</param>
internal sealed record HostFacts(
    string? ProcessPath, string? EntryName, string? EntryLocation, string? DependencyFile, bool RunsStartupHooks, Func<string, bool> FileExists)
{
    /// <summary>Those of this process.</summary>
    public static HostFacts Current()
    {
        var entry = Assembly.GetEntryAssembly();
        // The program's own deps.json comes first, those of its frameworks follow.
        var dependencies = (AppContext.GetData("APP_CONTEXT_DEPS_FILES") as string)?.Split(';')[0];
        return new HostFacts(
            Environment.ProcessPath, entry?.GetName().Name, entry?.Location, dependencies is { Length: > 0 } ? dependencies : null,
            !AppContext.TryGetSwitch("System.StartupHookProvider.IsSupported", out var isSupported) || isSupported, File.Exists);
    }
}

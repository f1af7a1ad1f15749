using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>A libtorch that is on the machine already, used in place of the application's own.</summary>
/// <remarks>
/// TorchSharp's own native library still comes from its package. The system's loader gives it the libtorch that is in the process
/// already, matched by name, so that one is loaded first, by path: c10, torch_cpu, torch, and where the folder has them c10_cuda and
/// torch_cuda, which find CUDA's own libraries by the paths written into them, as in Python.
/// </remarks>
/// <param name="Folder">Full path of the folder with the libraries.</param>
/// <param name="Version">Its version; null where no file tells it.</param>
internal sealed record ExistingTorch(string Folder, LibTorchVersion? Version)
{
    /// <summary>The environment variable that names the folder.</summary>
    public const string FolderVariable = "MLNETLORA_LIBTORCH";

    /// <summary>The environment variable that lets a libtorch of another version be tried.</summary>
    public const string MismatchVariable = "MLNETLORA_LIBTORCH_ALLOW_MISMATCH";

    /// <summary>File name of TorchSharp's native library, without what the system adds.</summary>
    public const string TorchSharpLibrary = "LibTorchSharp";

    private const string CudaLibrary = "torch_cuda";

    // In the order in which they need each other.
    private static readonly string[] Libraries = ["c10", LibTorchFolder.MainLibrary, "c10_cuda", CudaLibrary, "torch"];

    // What TorchSharp loads by name before anything else, from the application's folders.
    private static readonly string[] LoadedByTorchSharp = [LibTorchFolder.MainLibrary, CudaLibrary];

    /// <summary>For errors and reports.</summary>
    public override string ToString() =>
        $"libtorch {(Version is null ? "of unknown version" : $"{Version.Text} ({Version.Source})")} in {Folder}";

    /// <summary>The libtorch that the environment names, judged; null where it names none.</summary>
    /// <param name="variable">Reads an environment variable.</param>
    /// <param name="selfTest">Tries the libtorch of a folder in another process; returns why it is not to be used, or null.</param>
    /// <exception cref="DllNotFoundException">There is none, it is of another version, or the self-test did not pass.</exception>
    public static ExistingTorch? Choose(Func<string, string?> variable, Func<string, string?> selfTest)
    {
        if (variable(FolderVariable) is not { Length: > 0 } named) return null;
        var platform = TorchPlatform.Current;
        var folder = LibTorchFolder.Find(named, platform, RuntimeInformation.ProcessArchitecture);
        return Judge(folder, LibTorchVersion.Read(folder, platform), variable(MismatchVariable) == "1", selfTest);
    }

    /// <summary>Accepts the version TorchSharp is compiled against, and another one when it is allowed and the self-test passes.</summary>
    /// <exception cref="DllNotFoundException">Neither is so.</exception>
    public static ExistingTorch Judge(string folder, LibTorchVersion? version, bool allowMismatch, Func<string, string?> selfTest)
    {
        var torch = new ExistingTorch(folder, version);
        if (version is { IsWanted: true }) return torch;
        if (!allowMismatch)
            throw version is null ? ExistingTorchFailure.UnknownVersion(folder) : ExistingTorchFailure.OtherVersion(folder, version);
        return selfTest(folder) is { } reason ? throw ExistingTorchFailure.SelfTest(folder, version, reason) : torch;
    }

    /// <summary>Loads libtorch from a folder, then TorchSharp's own library on top of it.</summary>
    /// <param name="folder">Full path of the folder with the libraries.</param>
    /// <param name="application">Where the application's native libraries lie.</param>
    /// <returns>The handle of TorchSharp's library.</returns>
    /// <exception cref="DllNotFoundException">Something does not load, or the process has another libtorch or would get one.</exception>
    public static nint Load(string folder, IReadOnlyList<string> application)
    {
        var platform = TorchPlatform.Current;
        var main = RealPath(Path.Join(folder, platform.FileName(LibTorchFolder.MainLibrary)));
        if (LoadedBeside(main) is { } loaded) throw ExistingTorchFailure.TooLate(folder, loaded);
        KeepOut(folder, main, application);
        try
        {
            foreach (var path in Libraries.Select(name => Path.Join(folder, platform.FileName(name))).Where(File.Exists)) NativeLibrary.Load(path);
            if (OperatingSystem.IsLinux()) AnswerToPlainNames(folder);
            var handle = LoadTorchSharp(application);
            return LoadedBeside(main) is { } beside ? throw ExistingTorchFailure.PackagedBeside(folder, beside) : handle;
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException
            && !exception.Message.StartsWith("MLNetLoRA: ", StringComparison.Ordinal))
        {
            throw ExistingTorchFailure.Load(folder, exception);
        }
    }

    // TorchSharp loads libtorch_cpu by path from the application's folders; two of them in one process end it.
    private static void KeepOut(string folder, string main, IReadOnlyList<string> application)
    {
        foreach (var path in LoadedByTorchSharp.SelectMany(name => application.Select(place => Path.Join(place, TorchPlatform.Current.FileName(name)))))
        {
            if (!File.Exists(path) || Path.GetDirectoryName(RealPath(path)) == Path.GetDirectoryName(main)) continue;
            if (!OperatingSystem.IsLinux()) throw ExistingTorchFailure.PackagedBeside(folder, path);
            LoadStandIn(folder, path);
        }
    }

    // A distribution's libtorch carries its version in its own names: libtorch_cpu.so.1.13.
    [SupportedOSPlatform("linux")]
    private static void AnswerToPlainNames(string folder)
    {
        foreach (var name in Libraries.Select(TorchPlatform.Linux.FileName))
        {
            var path = Path.Join(folder, name);
            if (!File.Exists(path) || DynamicLoader.FindLoaded(name) != 0) continue;
            if (ElfSharedObject.Parse(File.ReadAllBytes(path)).SoName is { } own) LoadStandIn(folder, name, own);
        }
    }

    [SupportedOSPlatform("linux")]
    private static void LoadStandIn(string folder, string name, params ReadOnlySpan<string> needed)
    {
        var refusals = new List<string>();
        if (NativeLibraryCache.Load("libstandin.so", StandInLibrary.Build(name, needed), NativeLibrary.Load, refusals) == 0)
            throw ExistingTorchFailure.Load(folder, new IOException(
                $"no cache folder can hold what keeps the application's own libtorch out ({string.Join(" ", refusals)}); set {NativeLibraryCache.FolderVariable}"));
        if (DynamicLoader.FindLoaded(name) == 0) throw ExistingTorchFailure.PackagedBeside(folder, name);
    }

    private static nint LoadTorchSharp(IReadOnlyList<string> application)
    {
        if (NativeSearchPath.Find(application, TorchPlatform.Current.FileName(TorchSharpLibrary)) is not { } shipped)
            throw new DllNotFoundException($"{TorchPlatform.Current.FileName(TorchSharpLibrary)} of the TorchSharp package is not beside the application");
        if (!OperatingSystem.IsLinux()) return NativeLibrary.Load(shipped);
        try
        {
            return DynamicLoader.LoadBound(shipped);
        }
        catch (DllNotFoundException)
        {
            var adjusted = RelaxedTorchLibrary.LoadOver(application, DynamicLoader.LoadBound);
            if (adjusted != 0) return adjusted;
            throw;
        }
    }

    private static string? LoadedBeside(string main)
    {
        var stem = TorchPlatform.Current.FileName(LibTorchFolder.MainLibrary);
        using var process = Process.GetCurrentProcess();
        return process.Modules.Cast<ProcessModule>().Select(module => module.FileName)
            .FirstOrDefault(path => Path.GetFileName(path).StartsWith(stem, StringComparison.Ordinal) && RealPath(path) != main);
    }

    private static string RealPath(string path) => OperatingSystem.IsLinux()
        ? FileStatus.ResolveLinks(path)
        : File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
}

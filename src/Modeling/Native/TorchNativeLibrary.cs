using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>
/// Lets TorchSharp's native library load on Linux systems with an older libstdc++, such as Debian 12 and Ubuntu 22.04, and on a libtorch that
/// is on the machine already.
/// </summary>
/// <remarks>
/// <para>The environment variable MLNETLORA_LIBTORCH names a folder with libtorch to use in place of the application's own: the torch/lib of a
/// Python install, a downloaded libtorch, or the folder above either. It is loaded by <see cref="Ensure"/>, so at the program's start. Its
/// version is read from the files beside it, without running anything of it (torch/version.py, build-version, the headers, CMake's and
/// NuGet's files, libtorch_python). Version 2.10 is accepted. Another one, or one that cannot be told, needs
/// MLNETLORA_LIBTORCH_ALLOW_MISMATCH=1: then a self-test (matmul, autograd, SVD, attention, a loss, an optimizer step) runs in another process
/// of this program, before its own code, and a libtorch that does not pass is refused. When the folder cannot be used nothing else is used in its place:
/// <see cref="EnsureLoaded"/> and the first use of TorchSharp throw. A folder with CUDA's libtorch_cuda is loaded whole; CUDA's own libraries are
/// found by the paths that libtorch carries, as in Python. With the variable set on Windows and macOS the application must not have a
/// libtorch package beside it; on Linux it may.</para>
/// <para>Without the variable nothing happens where the shipped library loads: the runtime asks for help only after its own search has
/// failed. Then a copy with a relaxed version demand is written to MLNETLORA_CACHE, XDG_CACHE_HOME or ~/.cache (folder mlnetlora/native) and loaded from there.
/// The shipped files are never changed.</para>
/// <para>C# projects that reference the package call <see cref="Ensure"/> before their first line runs, by a generated module initializer
/// (MSBuild property MLNetLoRAModuleInitializer=false switches it off). Programs in other languages that use TorchSharp before anything of
/// MLNetLoRA call it themselves: once TorchSharp has failed to load, it stays so for the life of the process.</para>
/// <para>All members are safe to use from several threads.</para>
/// </remarks>
public static class TorchNativeLibrary
{
    private static readonly Lock Gate = new();
    private static bool _isReady;
    private static bool _isRefused;
    private static nint _handle;
    private static volatile string? _failureMessage;

    /// <summary>Why the native library could not be made to load on this system and what to do about it.</summary>
    /// <value>Null while nothing failed, or where the cause is neither an old system library nor the folder that MLNETLORA_LIBTORCH names.</value>
    /// <remarks>
    /// TorchSharp reports a failed load as a TypeInitializationException whose inner NotSupportedException holds this text in the middle
    /// of a long trace; a program that wants to show one clear line takes it from here, or calls <see cref="EnsureLoaded"/> first.
    /// </remarks>
    public static string? FailureMessage => _failureMessage;

    /// <summary>The libtorch that MLNETLORA_LIBTORCH names and that was loaded, with its version and where that is told.</summary>
    /// <value>Null where the application's own is used, or the named one was refused.</value>
    public static string? ExistingLibTorch { get; private set; }

    /// <summary>
    /// Offers the runtime help with loading TorchSharp's native library, and loads the libtorch that MLNETLORA_LIBTORCH names; further calls
    /// do nothing.
    /// </summary>
    /// <remarks>Never throws: what is wrong with the named libtorch is in <see cref="FailureMessage"/>.</remarks>
    public static void Ensure()
    {
        lock (Gate)
        {
            if (_isReady) return;
            _isReady = true;
            if (OperatingSystem.IsLinux()) Register();
            if (Environment.GetEnvironmentVariable(LibTorchSelfTest.ResultVariable) is { Length: > 0 } result)
                LibTorchSelfTest.RunAndExit(result, LoadNamed);
            if (Environment.GetEnvironmentVariable(ExistingTorch.FolderVariable) is { Length: > 0 }) UseExisting();
        }
    }

    /// <summary>Loads TorchSharp's native library on Linux, before TorchSharp does it in its static constructor.</summary>
    /// <remarks>
    /// For the doors of the library: TorchSharp catches the exception below, searches on (copying 0.4 GB of libtorch out of the package
    /// folder where it finds one) and then says that a package reference is missing. Where the cause is not an old system library
    /// this returns, and TorchSharp tells the cause itself; elsewhere than on Linux it only judges what MLNETLORA_LIBTORCH names.
    /// </remarks>
    /// <exception cref="DllNotFoundException">
    /// A system library is too old, no cache folder is usable, or the libtorch that MLNETLORA_LIBTORCH names cannot be used; says what to do.
    /// </exception>
    public static void EnsureLoaded()
    {
        Ensure();
        if (_isRefused) throw new DllNotFoundException(_failureMessage);
        if (OperatingSystem.IsLinux()) NativeLibrary.TryLoad("LibTorchSharp", typeof(TorchSharp.DeviceType).Assembly, null, out _);
    }

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "A failed static constructor of TorchSharp stays failed: this must come first.")]
    internal static void Initialize() => Ensure();

    // The program's own libtorch is no replacement for the one that was named: TorchSharp's first call into it throws instead.
    private static void UseExisting()
    {
        try
        {
            UseNamed();
        }
        catch (DllNotFoundException exception)
        {
            Refuse(exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Refuse(ExistingTorchFailure.Load(Environment.GetEnvironmentVariable(ExistingTorch.FolderVariable)!, exception));
        }
    }

    private static void UseNamed()
    {
        var chosen = ExistingTorch.Choose(Environment.GetEnvironmentVariable, SelfTestProcess.Run)!;
        _handle = ExistingTorch.Load(chosen.Folder, NativeSearchPath.Of(TorchSharpAssembly));
        ExistingLibTorch = chosen.ToString();
    }

    private static void Refuse(DllNotFoundException exception)
    {
        (_isRefused, _failureMessage) = (true, exception.Message);
        NativeLibrary.SetDllImportResolver(TorchSharpAssembly, (name, _, _) =>
            name.EndsWith(ExistingTorch.TorchSharpLibrary, StringComparison.Ordinal) ? throw new DllNotFoundException(_failureMessage) : 0);
    }

    private static void LoadNamed()
    {
        var folder = Environment.GetEnvironmentVariable(ExistingTorch.FolderVariable)!;
        _handle = ExistingTorch.Load(folder, NativeSearchPath.Of(TorchSharpAssembly));
    }

    private static Assembly TorchSharpAssembly
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => typeof(TorchSharp.DeviceType).Assembly;
    }

    // A method of its own: only Linux loads TorchSharp.dll this early. DeviceType is an enum, so no static constructor runs.
    [SupportedOSPlatform("linux")]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Register()
    {
        (AssemblyLoadContext.GetLoadContext(TorchSharpAssembly) ?? AssemblyLoadContext.Default).ResolvingUnmanagedDll += Resolve;
    }

    [SupportedOSPlatform("linux")]
    private static nint Resolve(Assembly assembly, string name)
    {
        if (name is not ("LibTorchSharp" or "libLibTorchSharp" or RelaxedTorchLibrary.FileName)) return 0;
        lock (Gate)
        {
            // Any handle: TorchSharp goes on to its first call, which says why. Without one it would copy the packages' libtorch and try that.
            if (_isRefused) return NativeLibrary.GetMainProgramHandle();
            try
            {
                if (_handle == 0) _handle = RelaxedTorchLibrary.Load(NativeSearchPath.Of(assembly));
                return _handle;
            }
            catch (DllNotFoundException exception)
            {
                _failureMessage = exception.Message;
                throw;
            }
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>Lets TorchSharp's native library load on Linux systems with an older libstdc++, such as Debian 12 and Ubuntu 22.04.</summary>
/// <remarks>
/// <para>Nothing happens where the shipped library loads: the runtime asks for help only after its own search has failed. Then a copy with
/// a relaxed version demand is written to MLNETLORA_CACHE, XDG_CACHE_HOME or ~/.cache (folder mlnetlora/native) and loaded from there.
/// The shipped files are never changed.</para>
/// <para>C# projects that reference the package call <see cref="Ensure"/> before their first line runs, by a generated module initializer
/// (MSBuild property MLNetLoRAModuleInitializer=false switches it off). Programs in other languages that use TorchSharp before anything of
/// MLNetLoRA call it themselves: once TorchSharp has failed to load, it stays so for the life of the process.</para>
/// <para>All members are safe to use from several threads.</para>
/// </remarks>
public static class TorchNativeLibrary
{
    private static readonly Lock Gate = new();
    private static bool _isRegistered;
    private static nint _handle;
    private static volatile string? _failureMessage;

    /// <summary>Why the native library could not be made to load on this system and what to do about it.</summary>
    /// <value>Null while nothing failed, or where the cause is not an old system library.</value>
    /// <remarks>
    /// TorchSharp reports a failed load as a TypeInitializationException whose inner NotSupportedException holds this text in the middle
    /// of a long trace; a program that wants to show one clear line takes it from here, or calls <see cref="EnsureLoaded"/> first.
    /// </remarks>
    public static string? FailureMessage => _failureMessage;

    /// <summary>Offers the runtime help with loading TorchSharp's native library; further calls do nothing.</summary>
    public static void Ensure()
    {
        if (OperatingSystem.IsLinux() && !Interlocked.Exchange(ref _isRegistered, true)) Register();
    }

    /// <summary>Loads TorchSharp's native library on Linux, before TorchSharp does it in its static constructor.</summary>
    /// <remarks>
    /// For the doors of the library: TorchSharp catches the exception below, searches on (copying 0.4 GB of libtorch out of the package
    /// folder where it finds one) and then says that a package reference is missing. Where the cause is not an old system library
    /// this returns, and TorchSharp tells the cause itself; elsewhere than on Linux it does nothing.
    /// </remarks>
    /// <exception cref="DllNotFoundException">A system library is too old, or no cache folder is usable; says what to do.</exception>
    public static void EnsureLoaded()
    {
        Ensure();
        if (OperatingSystem.IsLinux()) NativeLibrary.TryLoad("LibTorchSharp", typeof(TorchSharp.DeviceType).Assembly, null, out _);
    }

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "A failed static constructor of TorchSharp stays failed: this must come first.")]
    internal static void Initialize() => Ensure();

    // A method of its own: only Linux loads TorchSharp.dll this early. DeviceType is an enum, so no static constructor runs.
    [SupportedOSPlatform("linux")]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Register()
    {
        var torchSharp = typeof(TorchSharp.DeviceType).Assembly;
        (AssemblyLoadContext.GetLoadContext(torchSharp) ?? AssemblyLoadContext.Default).ResolvingUnmanagedDll += Resolve;
    }

    [SupportedOSPlatform("linux")]
    private static nint Resolve(Assembly assembly, string name)
    {
        if (name is not ("LibTorchSharp" or "libLibTorchSharp" or RelaxedTorchLibrary.FileName)) return 0;
        lock (Gate)
        {
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

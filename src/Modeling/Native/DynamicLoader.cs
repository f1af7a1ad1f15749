using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>What the runtime's own loading cannot ask of Linux' loader.</summary>
/// <remarks>Source: dlopen(3). libdl.so.2 exists with every glibc, as an empty shell since 2.34.</remarks>
[SupportedOSPlatform("linux")]
internal static partial class DynamicLoader
{
    private const int Lazy = 1, Now = 2, OnlyIfLoaded = 4;

    /// <summary>Loads a library with every symbol it needs: a missing one is an error here, not the end of the process later.</summary>
    /// <exception cref="EntryPointNotFoundException">A symbol is missing; the message is the loader's.</exception>
    /// <exception cref="DllNotFoundException">It does not load for another reason.</exception>
    public static nint LoadBound(string path)
    {
        var handle = Open(path, Now);
        if (handle != 0) return handle;
        var reason = Marshal.PtrToStringUTF8(Error()) ?? $"{path} does not load";
        throw reason.Contains("undefined symbol", StringComparison.Ordinal) ? new EntryPointNotFoundException(reason) : new DllNotFoundException(reason);
    }

    /// <summary>The library that answers to a name or path in this process; zero where none does. Loads nothing.</summary>
    public static nint FindLoaded(string name) => Open(name, Lazy | OnlyIfLoaded);

    [LibraryImport("libdl.so.2", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Open(string path, int mode);

    [LibraryImport("libdl.so.2", EntryPoint = "dlerror")]
    private static partial nint Error();
}

using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace MLNetLoRA.Modeling;

/// <summary>Who owns a file or folder of a Linux system, and who may write it.</summary>
/// <remarks>
/// .NET tells the mode of a file but not its owner. Of the C library's calls statx is the one whose result has the same layout on every
/// processor (linux/stat.h), so it can be declared once; glibc has it since 2.28, older than any glibc TorchSharp runs on.
/// </remarks>
/// <param name="Owner">User id.</param>
/// <param name="Mode">Kind and permission bits, as in st_mode.</param>
/// <param name="Length">Size in bytes.</param>
[SupportedOSPlatform("linux")]
internal readonly partial record struct FileStatus(uint Owner, ushort Mode, ulong Length)
{
    private const int CurrentFolder = -100, DoNotFollowLinks = 0x100, NoSuchFile = 2, NotAFolder = 20;
    private const uint BasicFields = 0x7ff;

    /// <summary>The user as whom this process opens files.</summary>
    public static uint CurrentUser => GetEffectiveUser();

    public bool IsFolder => (Mode & 0xf000) == 0x4000;

    public bool IsRegularFile => (Mode & 0xf000) == 0x8000;

    /// <summary>True where group or others may write; in an access list the group bits are its mask.</summary>
    public bool IsWritableByOthers => (Mode & 0b010_010) != 0;

    /// <summary>True for folders such as /tmp: everyone may write, but only the owner of an entry may rename or delete it.</summary>
    public bool IsSticky => (Mode & 0x200) != 0;

    /// <summary>Permission bits the way chmod takes them, such as 0755.</summary>
    public string Permissions => "0" + Convert.ToString(Mode & 0xfff, 8);

    /// <summary>The status of a path itself, of the link where it is one; null where nothing is there.</summary>
    /// <exception cref="IOException">The system refuses to say.</exception>
    public static FileStatus? Of(string path)
    {
        if (GetStatus(CurrentFolder, path, DoNotFollowLinks, BasicFields, out var status) == 0)
            return new FileStatus(status.Owner, status.Mode, status.Length);
        var error = Marshal.GetLastPInvokeError();
        return error is NoSuchFile or NotAFolder ? null : throw Refused(path, error);
    }

    /// <summary>A path with every link in it followed.</summary>
    /// <exception cref="IOException">The path does not exist, or its links run in a circle.</exception>
    public static string ResolveLinks(string path)
    {
        var resolved = RealPath(path, 0);
        if (resolved == 0) throw Refused(path, Marshal.GetLastPInvokeError());
        try
        {
            return Marshal.PtrToStringUTF8(resolved)!;
        }
        finally
        {
            unsafe { NativeMemory.Free((void*)resolved); }   // realpath allocates with malloc
        }
    }

    private static IOException Refused(string path, int error) => new($"{path}: {Marshal.GetPInvokeErrorMessage(error)}");

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int GetStatus(int folder, string path, int flags, uint mask, out StatxBuffer status);

    [LibraryImport("libc", EntryPoint = "realpath", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint RealPath(string path, nint buffer);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(20)] public uint Owner;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(40)] public ulong Length;
    }
}

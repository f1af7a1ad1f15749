using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MLNetLoRA.Modeling;

/// <summary>The system and the processor that a native library is built for, as its first bytes say.</summary>
/// <remarks>Sources: System V ABI (ELF header), Microsoft's PE format, Apple's mach-o/loader.h and mach-o/fat.h.</remarks>
/// <param name="Platform">Linux, Windows or macOS.</param>
/// <param name="Processor">The processor; null for one this library does not know, or for a macOS file that holds several.</param>
internal readonly record struct NativeImage(TorchPlatform Platform, Architecture? Processor)
{
    /// <summary>As many bytes of a file as are looked at.</summary>
    public const int HeadBytes = 4096;

    private const int PeOffsetAt = 0x3c;

    /// <summary>What the file is built for; null where it is no native library.</summary>
    public static NativeImage? Read(string path)
    {
        using var stream = File.OpenRead(path);
        var head = new byte[HeadBytes];
        return Of(head.AsSpan(0, stream.ReadAtLeast(head, HeadBytes, throwOnEndOfStream: false)));
    }

    /// <summary>What a file with this beginning is built for; null where it is no native library.</summary>
    public static NativeImage? Of(ReadOnlySpan<byte> head)
    {
        if (head.Length < 20) return null;
        if (head.StartsWith("\u007fELF"u8)) return new(TorchPlatform.Linux, OfElf(BinaryPrimitives.ReadUInt16LittleEndian(head[18..])));
        if (head.StartsWith("MZ"u8)) return OfPe(head);
        return BinaryPrimitives.ReadUInt32LittleEndian(head) switch
        {
            0xfeedfacf => new(TorchPlatform.MacOS, OfMach(BinaryPrimitives.ReadUInt32LittleEndian(head[4..]))),
            0xbebafeca or 0xbfbafeca => new(TorchPlatform.MacOS, null),       // several processors in one file
            _ => null,
        };
    }

    /// <summary>The file as errors name it, such as "Linux on arm64".</summary>
    public override string ToString() => $"{Platform.Name} on {(Processor is { } known ? Spell(known) : "another processor")}";

    /// <summary>A processor as errors name it.</summary>
    public static string Spell(Architecture architecture) => architecture.ToString().ToLowerInvariant();

    private static NativeImage? OfPe(ReadOnlySpan<byte> head)
    {
        if (head.Length < PeOffsetAt + 4) return null;
        var at = BinaryPrimitives.ReadUInt32LittleEndian(head[PeOffsetAt..]);
        if (at > head.Length - 6 || !head[(int)at..].StartsWith("PE\0\0"u8)) return null;
        return new(TorchPlatform.Windows, BinaryPrimitives.ReadUInt16LittleEndian(head[((int)at + 4)..]) switch
        {
            0x8664 => Architecture.X64,
            0xaa64 => Architecture.Arm64,
            _ => null,
        });
    }

    private static Architecture? OfElf(ushort machine) => machine switch
    {
        62 => Architecture.X64,
        183 => Architecture.Arm64,
        _ => null,
    };

    private static Architecture? OfMach(uint processor) => processor switch
    {
        0x0100_0007 => Architecture.X64,
        0x0100_000c => Architecture.Arm64,
        _ => null,
    };
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>An empty shared library that answers to a name, and loads others when it is loaded.</summary>
/// <remarks>
/// Linux' loader takes a library it has already loaded when the name asked for is that library's own (DT_SONAME), whatever its file is
/// called. An empty one can so keep a second libtorch out of the process, by answering to its full path, and can give a libtorch whose own
/// names carry a version the names that TorchSharp's library asks for. Sources: System V ABI, "Dynamic Linking"; ld.so(8).
/// </remarks>
internal static class StandInLibrary
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, ProgramHeaders = 3, SymbolSize = 24, EntrySize = 16, Alignment = 0x1000;

    /// <summary>The bytes of such a library.</summary>
    /// <param name="name">The name it answers to; may be a path.</param>
    /// <param name="needed">Names of libraries that are loaded with it; its own symbols are theirs.</param>
    public static byte[] Build(string name, params ReadOnlySpan<string> needed)
    {
        var names = new MemoryStream();
        names.WriteByte(0);
        var nameAt = Append(names, name);
        List<(ulong Tag, ulong Value)> dynamic = [(14, nameAt)];
        foreach (var library in needed) dynamic.Add((1, Append(names, library)));

        const int SymbolsAt = HeaderSize + (ProgramHeaders * ProgramHeaderSize) + 8;      // one symbol, all zero, as every table begins
        var namesAt = SymbolsAt + SymbolSize;
        var dynamicAt = (namesAt + (int)names.Length + 15) & ~15;
        dynamic.AddRange([(5, (ulong)namesAt), (10, (ulong)names.Length), (6, SymbolsAt), (11, SymbolSize), (0, 0)]);

        var image = new byte[dynamicAt + (dynamic.Count * EntrySize)];
        WriteHeader(image);
        const uint Readable = 4, Writable = 2;      // the loader writes into the dynamic section
        WriteProgramHeader(image, 0, kind: 1, Readable | Writable, 0, image.Length, Alignment);
        WriteProgramHeader(image, 1, kind: 2, Readable | Writable, dynamicAt, image.Length - dynamicAt, 8);
        WriteProgramHeader(image, 2, kind: 0x6474e551, Readable | Writable, 0, 0, 16);     // a stack that cannot be executed
        names.ToArray().CopyTo(image, namesAt);
        for (var i = 0; i < dynamic.Count; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(dynamicAt + (i * EntrySize)), dynamic[i].Tag);
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(dynamicAt + (i * EntrySize) + 8), dynamic[i].Value);
        }
        return image;
    }

    private static ulong Append(MemoryStream names, string name)
    {
        var at = (ulong)names.Length;
        names.Write(Encoding.UTF8.GetBytes(name + "\0"));
        return at;
    }

    private static void WriteHeader(Span<byte> image)
    {
        "\u007fELF"u8.CopyTo(image);
        (image[4], image[5], image[6]) = (2, 1, 1);         // 64 bits, little-endian, version 1
        BinaryPrimitives.WriteUInt16LittleEndian(image[16..], 3);
        BinaryPrimitives.WriteUInt16LittleEndian(image[18..], (ushort)(RuntimeInformation.ProcessArchitecture is Architecture.Arm64 ? 183 : 62));
        BinaryPrimitives.WriteUInt32LittleEndian(image[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(image[32..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[56..], ProgramHeaders);
    }

    private static void WriteProgramHeader(Span<byte> image, int index, uint kind, uint flags, int offset, int size, int alignment)
    {
        var header = image[(HeaderSize + (index * ProgramHeaderSize))..];
        BinaryPrimitives.WriteUInt32LittleEndian(header, kind);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        foreach (var at in (int[])[8, 16, 24]) BinaryPrimitives.WriteUInt64LittleEndian(header[at..], (ulong)offset);
        foreach (var at in (int[])[32, 40]) BinaryPrimitives.WriteUInt64LittleEndian(header[at..], (ulong)size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], (ulong)alignment);
    }
}

using System.Buffers.Binary;
using System.Text;

namespace MLNetLoRA.Modeling.Tests.Native;

/// <summary>A shared object of one segment, with just what version checks read; addresses are file offsets.</summary>
internal sealed class SyntheticElf
{
    /// <summary>Where the parts lie, for tests that damage one of them.</summary>
    public const int DynamicSection = 0x100, Needs = 0x300, Definitions = 0x500, VersionTable = 0x700, Relocations = 0x780;
    public const int Names = 0x900, End = 0xc00;

    private readonly byte[] _image = new byte[End];
    private readonly List<(ulong Tag, ulong Value)> _dynamic = [];
    private int _names = 1;

    public SyntheticElf(ushort machine = 62)
    {
        "\u007fELF"u8.CopyTo(_image);
        _image[4] = 2;
        _image[5] = 1;
        U16(16, 3);
        U16(18, machine);
        U64(32, 64);
        U16(54, 56);
        U16(56, 2);
        Segment(64, kind: 1, offset: 0, size: End);
        Segment(64 + 56, kind: 2, offset: DynamicSection, size: Needs - DynamicSection);
    }

    /// <summary>Needs versions of one library; the first gets index 2, the next 3, and so on.</summary>
    public SyntheticElf Need(string library, params string[] versions)
    {
        _dynamic.Add((1, (ulong)Name(library)));
        _dynamic.Add((0x6ffffffe, Needs));
        _dynamic.Add((0x6fffffff, 1));
        U16(Needs, 1);
        U16(Needs + 2, (ushort)versions.Length);
        U32(Needs + 4, (uint)Name(library));
        U32(Needs + 8, 16);
        for (var i = 0; i < versions.Length; i++)
        {
            var at = Needs + 16 + (16 * i);
            U16(at + 6, (ushort)(i + 2));
            U32(at + 8, (uint)Name(versions[i]));
            U32(at + 12, i + 1 < versions.Length ? 16u : 0);
        }
        return this;
    }

    /// <summary>Binds one symbol (number 1) of the version with that index.</summary>
    public SyntheticElf Relocate(ushort versionIndex)
    {
        _dynamic.AddRange([(0x6ffffff0, VersionTable), (7, Relocations), (8, 24)]);
        U16(VersionTable + 2, versionIndex);
        U32(Relocations + 12, 1);
        return this;
    }

    public SyntheticElf Define(string soName, params string[] versions)
    {
        _dynamic.AddRange([(14, (ulong)Name(soName)), (0x6ffffffc, Definitions), (0x6ffffffd, (ulong)versions.Length)]);
        for (var i = 0; i < versions.Length; i++)
        {
            var at = Definitions + (28 * i);
            U32(at + 12, 20);
            U32(at + 16, i + 1 < versions.Length ? 28u : 0);
            U32(at + 20, (uint)Name(versions[i]));
        }
        return this;
    }

    public byte[] Build()
    {
        List<(ulong Tag, ulong Value)> entries = [.. _dynamic, (5, Names), (10, End - Names)];
        for (var i = 0; i < entries.Count; i++)
        {
            U64(DynamicSection + (16 * i), entries[i].Tag);
            U64(DynamicSection + (16 * i) + 8, entries[i].Value);
        }
        return [.. _image];
    }

    private int Name(string text)
    {
        var at = _names;
        _names += Encoding.ASCII.GetBytes(text, _image.AsSpan(Names + at)) + 1;
        return at;
    }

    private void Segment(int at, uint kind, ulong offset, ulong size)
    {
        U32(at, kind);
        U64(at + 8, offset);
        U64(at + 16, offset);
        U64(at + 32, size);
        U64(at + 40, size);
    }

    private void U16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_image.AsSpan(at), value);

    private void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_image.AsSpan(at), value);

    private void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_image.AsSpan(at), value);
}

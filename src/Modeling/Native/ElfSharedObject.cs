using System.Buffers.Binary;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>What the system's loader reads in a shared library: the libraries and symbol versions it needs and defines.</summary>
/// <remarks>
/// Reads 64-bit little-endian ELF (x64 and arm64 alike) through the program headers and the dynamic section, not through the section
/// headers: the loader ignores those, and they may be stripped. Every offset and count is checked against the file before it is used.
/// Source: System V ABI, "Program Loading and Dynamic Linking"; Linux Standard Base Core, "Symbol Versioning".
/// </remarks>
internal sealed class ElfSharedObject
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, DynamicEntrySize = 16;
    private const int VersionNeedSize = 16, VersionNeedAuxSize = 16, VersionDefinitionSize = 20;
    private const int RelSize = 16, RelaSize = 24, VersionIndexMask = 0x7fff;
    // Far above any real library (paths end at 4096 bytes); they bound the work a forged file can ask for.
    private const int MaxNameBytes = 4096, MaxNeeded = 1024;

    private readonly byte[] _image;
    private readonly List<Segment> _segments = [];
    private readonly Dictionary<ulong, ulong> _dynamic = [];
    private readonly List<ulong> _neededNames = [];

    private ElfSharedObject(byte[] image)
    {
        _image = image;
        ReadSegments();
        Needed = [.. _neededNames.Select(Text)];
        SoName = _dynamic.TryGetValue(Tag.SoName, out var name) ? Text(name) : null;
        VersionNeeds = ReadVersionNeeds();
        VersionDefinitions = ReadVersionDefinitions();
    }

    /// <summary>File names of the libraries loaded with this one, in load order.</summary>
    public IReadOnlyList<string> Needed { get; }

    /// <summary>The name under which other libraries ask for this one, or null.</summary>
    public string? SoName { get; }

    /// <summary>Symbol versions that other libraries must define before this one loads.</summary>
    public IReadOnlyList<ElfVersionNeed> VersionNeeds { get; }

    /// <summary>Symbol versions this library defines.</summary>
    public IReadOnlySet<string> VersionDefinitions { get; }

    /// <summary>Reads the image of a whole file; the array is kept and must not change.</summary>
    /// <exception cref="InvalidDataException">The bytes are not such a library, or an offset in them leads outside.</exception>
    public static ElfSharedObject Parse(byte[] image) => new(image);

    /// <summary>The version indexes of all symbols that a relocation refers to: versions that are bound, not merely named.</summary>
    /// <exception cref="InvalidDataException">A relocation leads outside the file.</exception>
    public IReadOnlySet<ushort> RelocatedVersions()
    {
        var used = new HashSet<ushort>();
        AddRelocated(used, Tag.Rela, Tag.RelaSize, RelaSize);
        AddRelocated(used, Tag.Rel, Tag.RelSize, RelSize);
        var pltIsRel = _dynamic.GetValueOrDefault(Tag.PltKind) == Tag.Rel;
        AddRelocated(used, Tag.Plt, Tag.PltSize, pltIsRel ? RelSize : RelaSize);
        return used;
    }

    private void ReadSegments()
    {
        var header = At(0, HeaderSize);
        if (!header[..4].SequenceEqual("\u007fELF"u8)) throw Invalid("it does not begin with the ELF mark");
        if (header[4] != 2 || header[5] != 1) throw Invalid("it is not 64-bit little-endian");
        if (U16(16) != 3) throw Invalid("it is not a shared object");
        int count = U16(56);
        if (count > 0 && U16(54) != ProgramHeaderSize) throw Invalid("its program headers have another size than 56 bytes");

        var table = U64(32);
        At(table, (ulong)count * ProgramHeaderSize);
        Segment? dynamic = null;
        for (var i = 0; i < count; i++)
        {
            var at = table + (ulong)(i * ProgramHeaderSize);
            var segment = new Segment(Offset: U64(at + 8), Address: U64(at + 16), Size: U64(at + 32));
            switch (U32(at))
            {
                case 1: At(segment.Offset, segment.Size); _segments.Add(segment); break;
                case 2: At(segment.Offset, segment.Size); dynamic = segment; break;
            }
        }
        if (dynamic is null) throw Invalid("it has no dynamic section");
        ReadDynamicSection(dynamic.Value);
    }

    private void ReadDynamicSection(Segment section)
    {
        for (ulong i = 0; i < section.Size / DynamicEntrySize; i++)
        {
            var tag = U64(section.Offset + (i * DynamicEntrySize));
            var value = U64(section.Offset + (i * DynamicEntrySize) + 8);
            if (tag == Tag.End) return;
            if (tag != Tag.Needed) _dynamic[tag] = value;
            else if (_neededNames.Count < MaxNeeded) _neededNames.Add(value);
            else throw Invalid($"it needs more than {MaxNeeded} libraries");
        }
    }

    private List<ElfVersionNeed> ReadVersionNeeds()
    {
        var needs = new List<ElfVersionNeed>();
        if (!_dynamic.TryGetValue(Tag.VersionNeeds, out var address)) return needs;
        for (var remaining = _dynamic.GetValueOrDefault(Tag.VersionNeedCount); remaining > 0; remaining--)
        {
            var at = FileOffset(address, VersionNeedSize);
            var library = Text(U32(at + 4));
            var auxAddress = address + U32(at + 8);
            for (int left = U16(at + 2); left > 0; left--)
            {
                var aux = FileOffset(auxAddress, VersionNeedAuxSize);
                // The loader has 15 bits for version indexes: a longer list is a forged one, and would be walked for hours.
                if (needs.Count == VersionIndexMask) throw Invalid("it asks for more symbol versions than the format can number");
                needs.Add(new(library, Text(U32(aux + 8)), (ushort)(U16(aux + 6) & VersionIndexMask), (int)aux + 4));
                if (U32(aux + 12) is var nextAux && nextAux == 0) break;
                auxAddress += nextAux;
            }
            if (U32(at + 12) is var next && next == 0) break;
            address += next;
        }
        return needs;
    }

    private HashSet<string> ReadVersionDefinitions()
    {
        var versions = new HashSet<string>(StringComparer.Ordinal);
        if (!_dynamic.TryGetValue(Tag.VersionDefinitions, out var address)) return versions;
        for (var remaining = Math.Min(_dynamic.GetValueOrDefault(Tag.VersionDefinitionCount), VersionIndexMask); remaining > 0; remaining--)
        {
            var at = FileOffset(address, VersionDefinitionSize);
            versions.Add(Text(U32(FileOffset(address + U32(at + 12), 8))));   // the first name is the version's own, the rest its parents
            if (U32(at + 16) is var next && next == 0) break;
            address += next;
        }
        return versions;
    }

    private void AddRelocated(HashSet<ushort> used, ulong tableTag, ulong sizeTag, int entrySize)
    {
        if (!_dynamic.TryGetValue(tableTag, out var address) || !_dynamic.TryGetValue(Tag.VersionTable, out var versionTable)) return;
        var size = _dynamic.GetValueOrDefault(sizeTag);
        var table = FileOffset(address, size);
        for (ulong i = 0; i < size / (ulong)entrySize; i++)
        {
            var symbol = U32(table + (i * (ulong)entrySize) + 12);   // the upper half of r_info
            if (symbol != 0) used.Add((ushort)(U16(FileOffset(versionTable + (2UL * symbol), 2)) & VersionIndexMask));
        }
    }

    private string Text(ulong index)
    {
        if (!_dynamic.TryGetValue(Tag.Strings, out var address)) throw Invalid("it has no string table");
        var size = _dynamic.GetValueOrDefault(Tag.StringsSize);
        var table = At(FileOffset(address, size), size);
        if (index >= size) throw Invalid($"a name lies at {index} of {size} bytes of names");
        var text = table.Slice((int)index, (int)Math.Min(size - index, MaxNameBytes));
        var end = text.IndexOf((byte)0);
        if (end < 0) throw Invalid($"a name does not end within {MaxNameBytes} bytes");
        return Encoding.UTF8.GetString(text[..end]);
    }

    private ulong FileOffset(ulong address, ulong size)
    {
        foreach (var segment in _segments)
        {
            var within = address - segment.Address;
            if (address >= segment.Address && within <= segment.Size && size <= segment.Size - within) return segment.Offset + within;
        }
        throw Invalid($"no loaded segment holds {size} bytes at address 0x{address:x}");
    }

    private ReadOnlySpan<byte> At(ulong offset, ulong size)
    {
        var length = (ulong)_image.Length;
        if (offset > length || size > length - offset) throw Invalid($"{size} bytes at offset {offset} lie outside its {length} bytes");
        return _image.AsSpan((int)offset, (int)size);
    }

    private ushort U16(ulong offset) => BinaryPrimitives.ReadUInt16LittleEndian(At(offset, 2));

    private uint U32(ulong offset) => BinaryPrimitives.ReadUInt32LittleEndian(At(offset, 4));

    private ulong U64(ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(At(offset, 8));

    private static InvalidDataException Invalid(string reason) => new($"This is not a shared library that can be read: {reason}.");

    private readonly record struct Segment(ulong Offset, ulong Address, ulong Size);

    /// <summary>Tags of the dynamic section (elf.h: DT_*).</summary>
    private static class Tag
    {
        public const ulong End = 0, Needed = 1, PltSize = 2, Strings = 5, Rela = 7, RelaSize = 8, StringsSize = 10, SoName = 14;
        public const ulong Rel = 17, RelSize = 18, PltKind = 20, Plt = 23;
        public const ulong VersionTable = 0x6ffffff0, VersionDefinitions = 0x6ffffffc, VersionDefinitionCount = 0x6ffffffd;
        public const ulong VersionNeeds = 0x6ffffffe, VersionNeedCount = 0x6fffffff;
    }
}

using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Writes a copy of an assembly in which every internal type, field and method is public; the compiler's eyes only.</summary>
/// <remarks>
/// Only accessibility bits in the metadata tables change, so the copy has the size, layout and identity of the original.
/// Sections and tables are those of ECMA-335, partition II: 24.2.6 (tables stream), 22.37 (TypeDef), 22.15 (Field), 22.26 (MethodDef),
/// 23.1 (flags). The inline task compiles against netstandard alone, hence no System.Reflection.Metadata.
/// </remarks>
public class PublicizeAssembly : Task
{
    /// <summary>The assembly to copy.</summary>
    [Required]
    public string Source { get; set; }

    /// <summary>Where the copy goes; its folder is created.</summary>
    [Required]
    public string Destination { get; set; }

    private byte[] _image;

    // Metadata tables by number.
    private const int Module = 0x00, TypeRef = 0x01, TypeDef = 0x02, FieldPointer = 0x03, Field = 0x04, MethodPointer = 0x05, Method = 0x06,
        Parameter = 0x08, ModuleRef = 0x1A, TypeSpec = 0x1B, AssemblyRef = 0x23;

    public override bool Execute()
    {
        _image = File.ReadAllBytes(Source);
        Publicize(TablesStream());
        Write();
        return true;
    }

    /// <summary>File offset of the "#~" stream.</summary>
    private int TablesStream()
    {
        const int MetadataDirectoryInCliHeader = 8, CliHeaderDirectory = 14;
        int coff = Int32(0x3C) + 4, optional = coff + 20, sections = optional + UInt16(coff + 16);
        var directories = optional + (UInt16(optional) == 0x20B ? 112 : 96);   // PE32+ : PE32
        var cliHeader = FileOffset(Int32(directories + 8 * CliHeaderDirectory), sections, UInt16(coff + 2));
        var metadata = FileOffset(Int32(cliHeader + MetadataDirectoryInCliHeader), sections, UInt16(coff + 2));

        var position = metadata + 16 + Int32(metadata + 12);                   // past the version string
        int streams = UInt16(position + 2);
        position += 4;
        for (var i = 0; i < streams; i++)
        {
            var end = Array.IndexOf(_image, (byte)0, position + 8);
            if (Encoding.ASCII.GetString(_image, position + 8, end - position - 8) == "#~") return metadata + Int32(position);
            position += 8 + (end - position - 8) / 4 * 4 + 4;                   // names are padded to four bytes
        }
        throw new InvalidDataException(Source + " has no compressed metadata tables.");
    }

    private int FileOffset(int address, int sections, int sectionCount)
    {
        for (var section = sections; section < sections + 40 * sectionCount; section += 40)
        {
            int size = Math.Max(Int32(section + 8), Int32(section + 16)), start = Int32(section + 12);
            if (address >= start && address < start + size) return address - start + Int32(section + 20);
        }
        throw new InvalidDataException(Source + " is not a managed assembly.");
    }

    private void Publicize(int tables)
    {
        int heaps = _image[tables + 6], text = (heaps & 1) != 0 ? 4 : 2, guid = (heaps & 2) != 0 ? 4 : 2, blob = (heaps & 4) != 0 ? 4 : 2;
        var present = BitConverter.ToInt64(_image, tables + 8);
        var rows = new int[64];
        var position = tables + 24;
        for (var table = 0; table < rows.Length; table++)
        {
            if ((present >> table & 1) == 0) continue;
            rows[table] = Int32(position);
            position += 4;
        }
        if (rows[FieldPointer] != 0 || rows[MethodPointer] != 0) throw new InvalidDataException(Source + " has edit-and-continue tables.");

        Func<int, int> index = table => rows[table] > 0xFFFF ? 4 : 2;
        Func<int, int[], int> coded = (bits, targets) => Array.Exists(targets, t => rows[t] >= 1 << (16 - bits)) ? 4 : 2;
        var typeRefSize = coded(2, new[] { Module, ModuleRef, AssemblyRef, TypeRef }) + 2 * text;
        var typeDefSize = 4 + 2 * text + coded(2, new[] { TypeDef, TypeRef, TypeSpec }) + index(Field) + index(Method);
        var fieldSize = 2 + text + blob;
        var methodSize = 8 + text + blob + index(Parameter);

        var typeDefs = position + rows[Module] * (2 + text + 3 * guid) + rows[TypeRef] * typeRefSize;
        var fields = typeDefs + rows[TypeDef] * typeDefSize;
        var methods = fields + rows[Field] * fieldSize;
        for (var i = 0; i < rows[TypeDef]; i++) PublicizeType(typeDefs + i * typeDefSize);
        for (var i = 0; i < rows[Field]; i++) PublicizeMember(fields + i * fieldSize);
        for (var i = 0; i < rows[Method]; i++) PublicizeMember(methods + i * methodSize + 6);   // flags follow the address and implementation flags
    }

    /// <summary>Top-level internal becomes public; nested internal (alone or with protected) becomes nested public; private stays.</summary>
    private void PublicizeType(int flags)
    {
        const int NotPublic = 0, Public = 1, NestedPublic = 2, NestedAssembly = 5;
        var visibility = _image[flags] & 7;
        if (visibility == NotPublic) Set(flags, Public);
        else if (visibility >= NestedAssembly) Set(flags, NestedPublic);
    }

    /// <summary>Internal becomes public. "protected internal" stays: overriding it from outside is already legal, as protected.</summary>
    private void PublicizeMember(int flags)
    {
        const int Assembly = 3, Public = 6;
        if ((_image[flags] & 7) == Assembly) Set(flags, Public);
    }

    private void Set(int flags, int visibility) { _image[flags] = (byte)(_image[flags] & ~7 | visibility); }

    /// <summary>Beside, then moved: a build of the same project in another process never sees half a file.</summary>
    private void Write()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Destination));
        var beside = Destination + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(beside, _image);
        try
        {
            if (File.Exists(Destination)) File.Replace(beside, Destination, null);
            else File.Move(beside, Destination);
        }
        catch (IOException) when (File.Exists(Destination))
        {
            // Another process finished the same copy between the two lines above, or the compiler holds it: the content is the same.
            File.Delete(beside);
            File.SetLastWriteTimeUtc(Destination, DateTime.UtcNow);
        }
    }

    private int UInt16(int offset) { return BitConverter.ToUInt16(_image, offset); }

    private int Int32(int offset) { return BitConverter.ToInt32(_image, offset); }
}

using System.Runtime.InteropServices;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>Label values as bytes: their type's name, their number, then each value in a form of its own.</summary>
/// <remarks>
/// Not ML.NET's BinarySaver: that trusts the counts it reads, and a changed byte makes it run for hours. Here every count is held
/// against the bytes that are left before anything is allocated. Text is UTF-16, so that even unpaired surrogates come back.
/// </remarks>
internal static class LabelValuesCodec
{
    /// <summary>Every type a label can have, with its writer, its reader and the fewest bytes a value takes.</summary>
    private static readonly IForm[] Forms =
    [
        new Form<ReadOnlyMemory<char>>(TextDataViewType.Instance, WriteText, ReadText, sizeof(int)),
        new Form<float>(NumberDataViewType.Single, (w, v) => w.Write(v), r => r.ReadSingle(), sizeof(float)),
        new Form<double>(NumberDataViewType.Double, (w, v) => w.Write(v), r => r.ReadDouble(), sizeof(double)),
        new Form<sbyte>(NumberDataViewType.SByte, (w, v) => w.Write(v), r => r.ReadSByte(), sizeof(sbyte)),
        new Form<byte>(NumberDataViewType.Byte, (w, v) => w.Write(v), r => r.ReadByte(), sizeof(byte)),
        new Form<short>(NumberDataViewType.Int16, (w, v) => w.Write(v), r => r.ReadInt16(), sizeof(short)),
        new Form<ushort>(NumberDataViewType.UInt16, (w, v) => w.Write(v), r => r.ReadUInt16(), sizeof(ushort)),
        new Form<int>(NumberDataViewType.Int32, (w, v) => w.Write(v), r => r.ReadInt32(), sizeof(int)),
        new Form<uint>(NumberDataViewType.UInt32, (w, v) => w.Write(v), r => r.ReadUInt32(), sizeof(uint)),
        new Form<long>(NumberDataViewType.Int64, (w, v) => w.Write(v), r => r.ReadInt64(), sizeof(long)),
        new Form<ulong>(NumberDataViewType.UInt64, (w, v) => w.Write(v), r => r.ReadUInt64(), sizeof(ulong)),
        new Form<bool>(BooleanDataViewType.Instance, (w, v) => w.Write(v), r => r.ReadBoolean(), sizeof(bool)),
        new Form<DateTime>(DateTimeDataViewType.Instance, (w, v) => w.Write(v.ToBinary()), r => DateTime.FromBinary(r.ReadInt64()), sizeof(long)),
        new Form<TimeSpan>(TimeSpanDataViewType.Instance, (w, v) => w.Write(v.Ticks), r => new TimeSpan(r.ReadInt64()), sizeof(long)),
        new Form<DateTimeOffset>(DateTimeOffsetDataViewType.Instance, WriteDate, ReadDate, 2 * sizeof(long)),
        new Form<DataViewRowId>(RowIdDataViewType.Instance, WriteRowId, ReadRowId, 2 * sizeof(ulong)),
    ];

    /// <exception cref="NotSupportedException">Values of a type that has no form here.</exception>
    public static void Write<T>(BinaryWriter writer, T[] values)
    {
        var form = Forms.OfType<Form<T>>().FirstOrDefault()
            ?? throw new NotSupportedException($"Labels of type {typeof(T).Name} cannot be saved; map text or numbers to keys instead.");
        writer.Write(form.Name);
        writer.Write(values.Length);
        foreach (var value in values) form.Write(writer, value);
    }

    /// <exception cref="InvalidDataException">An unknown type, or a number of values that is out of range or does not fit the stream.</exception>
    /// <exception cref="EndOfStreamException">Cut off.</exception>
    public static LabelValues Read(BinaryReader reader)
    {
        var name = reader.ReadString();
        var form = Forms.FirstOrDefault(f => f.Name == name)
            ?? throw new InvalidDataException($"The model's label values have the unknown type '{name}'; a newer version wrote the model, or the file is damaged.");
        var count = reader.ReadInt32();
        if (count is < 1 or > LabelValues.MaxCount || count * form.FewestBytes > Left(reader))
            throw new InvalidDataException($"The model's label values are damaged: {count:N0} of them in {Left(reader):N0} bytes.");
        return form.Read(reader, count);
    }

    private static long Left(BinaryReader reader) => reader.BaseStream.Length - reader.BaseStream.Position;

    private static void WriteText(BinaryWriter writer, ReadOnlyMemory<char> text)
    {
        writer.Write(text.Length);
        writer.Write(MemoryMarshal.AsBytes(text.Span));
    }

    private static ReadOnlyMemory<char> ReadText(BinaryReader reader)
    {
        var length = reader.ReadInt32();
        if (length < 0 || length * (long)sizeof(char) > Left(reader))
            throw new InvalidDataException($"The model's label values are damaged: a text of {length:N0} characters in {Left(reader):N0} bytes.");
        var text = new char[length];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(text.AsSpan()));   // BinaryReader keeps no bytes back
        return new string(text).AsMemory();
    }

    private static void WriteDate(BinaryWriter writer, DateTimeOffset date)
    {
        writer.Write(date.Ticks);
        writer.Write(date.Offset.Ticks);
    }

    private static DateTimeOffset ReadDate(BinaryReader reader) => new(reader.ReadInt64(), new TimeSpan(reader.ReadInt64()));

    private static void WriteRowId(BinaryWriter writer, DataViewRowId id)
    {
        writer.Write(id.Low);
        writer.Write(id.High);
    }

    private static DataViewRowId ReadRowId(BinaryReader reader) => new(reader.ReadUInt64(), reader.ReadUInt64());

    private interface IForm
    {
        string Name { get; }
        int FewestBytes { get; }
        LabelValues Read(BinaryReader reader, int count);
    }

    private sealed record Form<T>(PrimitiveDataViewType Type, Action<BinaryWriter, T> Write, Func<BinaryReader, T> ReadOne, int FewestBytes) : IForm
    {
        public string Name => typeof(T) == typeof(ReadOnlyMemory<char>) ? "Text" : typeof(T).Name;

        public LabelValues Read(BinaryReader reader, int count)
        {
            var values = new T[count];
            foreach (ref var value in values.AsSpan()) value = ReadOne(reader);
            return new LabelValues<T>(new VectorDataViewType(Type, count), values);
        }
    }
}

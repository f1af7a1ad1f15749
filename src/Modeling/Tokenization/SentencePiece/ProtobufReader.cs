using System.Buffers.Binary;

namespace MLNetLoRA.Modeling;

/// <summary>How a protobuf field is stored.</summary>
internal enum WireType { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 }

/// <summary>Walks the fields of one protobuf message in the order of the file; nothing is read beyond its end.</summary>
/// <remarks>A reader of its own: the library's would build every message of a file before one of them could be judged.</remarks>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, Func<string, Exception> fault)
{
    private const int MaxVarintBytes = 10;

    private ReadOnlySpan<byte> _rest = message;

    /// <summary>The field's number in its message.</summary>
    public int Field { get; private set; }

    public WireType WireType { get; private set; }

    /// <summary>Goes to the next field; its value must be read or skipped before the next call.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        var tag = ReadVarint();
        var number = tag >> 3;
        if (number is 0 or > 0x1FFF_FFFF) throw Broken($"field number {number}");
        (Field, WireType) = ((int)number, (WireType)(tag & 7));
        return WireType is WireType.Varint or WireType.Fixed64 or WireType.Bytes or WireType.Fixed32
            ? true
            : throw Broken($"wire type {(int)WireType}");
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Require(WireType.Bytes);
        var length = ReadVarint();
        return length <= (ulong)_rest.Length ? Take((int)length) : throw Broken($"a field of {length} bytes where {_rest.Length} are left");
    }

    public float Single()
    {
        Require(WireType.Fixed32);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float)));
    }

    public bool Flag() => Number() != 0;

    public ulong Number()
    {
        Require(WireType.Varint);
        return ReadVarint();
    }

    public void Skip()
    {
        if (WireType == WireType.Varint) ReadVarint();
        else if (WireType == WireType.Bytes) Bytes();
        else Take(WireType == WireType.Fixed64 ? sizeof(ulong) : sizeof(uint));
    }

    private readonly void Require(WireType wanted)
    {
        if (WireType != wanted) throw Broken($"field {Field} stored as {WireType} instead of {wanted}");
    }

    private ulong ReadVarint()
    {
        var value = 0UL;
        for (var index = 0; index < MaxVarintBytes; index++)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << (7 * index);
            if (next < 0x80) return value;
        }
        throw Broken($"a number of more than {MaxVarintBytes} bytes");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _rest.Length) throw Broken("a field that is cut off");
        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }

    private readonly Exception Broken(string found) => fault($"not a SentencePiece model: {found}. Download the file again.");
}

using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The checked header of a safetensors file: what lies where, proved to cover the data section exactly once.</summary>
/// <remarks>
/// Layout: 8 bytes length N (unsigned, little-endian), N bytes JSON object, data.
/// Source: the format section of the safetensors project; like its reader, ours refuses overlaps and holes.
/// </remarks>
internal sealed class SafetensorsHeader
{
    public const string MetadataKey = "__metadata__";
    public const int LengthBytes = 8;

    /// <summary>The reference reader's limit, 100 MB: real headers are a thousandth of it.</summary>
    public const int MaxBytes = 100_000_000;

    // libtorch's own iterators stop here; a hostile shape of a million ones is not worth trying.
    private const int MaxRank = 64;

    private readonly string _source;
    private readonly Dictionary<string, SafetensorsEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);

    private SafetensorsHeader(string source, long dataStart, long dataLength)
    {
        _source = source;
        DataStart = dataStart;
        DataLength = dataLength;
    }

    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => _entries;

    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Bytes from the start of the file to its data section.</summary>
    public long DataStart { get; }

    /// <summary>Bytes of the data section.</summary>
    public long DataLength { get; }

    /// <exception cref="InvalidDataException">The file is not a safetensors file; the message starts with <paramref name="source"/>.</exception>
    public static SafetensorsHeader Read(IRandomAccessBytes bytes, string source)
    {
        var length = ReadLength(bytes, source);
        var json = new byte[length];
        bytes.ReadExactly(LengthBytes, json, source);
        if (length == 0 || json[0] != (byte)'{')
            throw new InvalidDataException($"{source}: the header does not start with '{{'; a JSON object was wanted. Is this a safetensors file?");

        var header = new SafetensorsHeader(source, LengthBytes + length, bytes.Length - LengthBytes - length);
        using var document = StrictJson.ParseObject(json, source);
        return StrictJson.Guard(source, () =>
        {
            header.Fill(document.RootElement);
            header.CheckCoverage();
            return header;
        });
    }

    private static int ReadLength(IRandomAccessBytes bytes, string source)
    {
        if (bytes.Length < LengthBytes)
            throw new InvalidDataException($"{source}: the file has {bytes.Length} bytes; a safetensors file starts with an 8-byte header length.");
        Span<byte> field = stackalloc byte[LengthBytes];
        bytes.ReadExactly(0, field, source);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(field);
        if (length > MaxBytes)
            throw new InvalidDataException(
                $"{source}: the header length is {length} bytes; at most {MaxBytes} are allowed. Is this a safetensors file?");
        if (length > (ulong)(bytes.Length - LengthBytes))
            throw new InvalidDataException(
                $"{source}: the header length is {length} bytes but only {bytes.Length - LengthBytes} follow; the file is truncated.");
        return (int)length;
    }

    private void Fill(JsonElement root)
    {
        foreach (var property in root.EnumerateObject())
        {
            if (property.NameEquals(MetadataKey)) FillMetadata(property.Value);
            else _entries.Add(property.Name, ParseEntry(property.Name, property.Value));
        }
    }

    private void FillMetadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Fault($"{MetadataKey} holds {StrictJson.Describe(value.ValueKind)}; an object of strings was wanted.");
        foreach (var property in value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
                throw Fault($"{MetadataKey} entry {MessageText.Quote(property.Name)} holds "
                    + $"{StrictJson.Describe(property.Value.ValueKind)}; a string was wanted.");
            _metadata.Add(property.Name, property.Value.GetString()!);
        }
    }

    private SafetensorsEntry ParseEntry(string name, JsonElement value)
    {
        var subject = $"tensor {MessageText.Quote(name)}";
        if (value.ValueKind != JsonValueKind.Object)
            throw Fault($"{subject} holds {StrictJson.Describe(value.ValueKind)}; an object with dtype, shape and data_offsets was wanted.");
        foreach (var property in value.EnumerateObject())
            if (property.Name is not ("dtype" or "shape" or "data_offsets"))
                throw Fault($"{subject} has the unknown field {MessageText.Quote(property.Name)}; dtype, shape and data_offsets were wanted.");

        var type = ParseType(subject, Field(subject, value, "dtype", JsonValueKind.String));
        var shape = ParseIntegers(subject, "shape", Field(subject, value, "shape", JsonValueKind.Array), MaxRank);
        var offsets = ParseIntegers(subject, "data_offsets", Field(subject, value, "data_offsets", JsonValueKind.Array), 2);
        if (offsets.Length != 2)
            throw Fault($"{subject} has {offsets.Length} data_offsets; two, begin and end, were wanted.");

        var (begin, end) = (offsets[0], offsets[1]);
        if (begin > end)
            throw Fault($"{subject} begins at {begin}, after its end at {end}.");
        if (end > DataLength)
            throw Fault($"{subject} ends at byte {end} of the data, which has {DataLength} bytes; the file is truncated or its header is wrong.");
        var entry = new SafetensorsEntry(name, type, Array.AsReadOnly(shape), begin, end - begin);
        var wanted = ByteCount(subject, entry);
        return entry.ByteCount == wanted ? entry : throw Fault(
            $"{subject} has {entry.ByteCount} bytes (data_offsets {begin} to {end}); "
            + $"{wanted} were wanted for {SafetensorsDataType.NameOf(type)} of shape {entry.ShapeText}.");
    }

    private JsonElement Field(string subject, JsonElement entry, string field, JsonValueKind kind)
    {
        if (!entry.TryGetProperty(field, out var value))
            throw Fault($"{subject} has no {field}; dtype, shape and data_offsets were wanted.");
        return value.ValueKind == kind ? value : throw Fault(
            $"{subject}: {field} is {StrictJson.Describe(value.ValueKind)}; {StrictJson.Describe(kind)} was wanted.");
    }

    private ScalarType ParseType(string subject, JsonElement value)
    {
        var name = value.GetString()!;
        return SafetensorsDataType.Parse(name) ?? throw Fault(
            $"{subject} has the dtype {MessageText.Quote(name)}; supported are {SafetensorsDataType.Names}.");
    }

    private long[] ParseIntegers(string subject, string field, JsonElement array, int maxLength)
    {
        if (array.GetArrayLength() > maxLength)
            throw Fault($"{subject}: {field} has {array.GetArrayLength()} numbers; at most {maxLength} were expected.");
        var numbers = new long[array.GetArrayLength()];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (array[i].ValueKind != JsonValueKind.Number || !array[i].TryGetInt64(out numbers[i]) || numbers[i] < 0)
                throw Fault($"{subject}: {field}[{i}] is {MessageText.Quote(array[i].GetRawText())}; a whole number from 0 to 2^63 - 1 was wanted.");
        }
        return numbers;
    }

    // A zero counts as one while overflow is looked for: libtorch computes strides that way, even for an empty tensor.
    private long ByteCount(string subject, SafetensorsEntry entry)
    {
        long bytes = SafetensorsDataType.SizeOf(entry.DataType);
        foreach (var size in entry.Shape)
        {
            if (Math.BigMul(bytes, Math.Max(size, 1)) > long.MaxValue)
                throw Fault($"{subject} of shape {entry.ShapeText} is larger than 2^63 bytes.");
            bytes *= Math.Max(size, 1);
        }
        return entry.Shape.Contains(0) ? 0 : bytes;
    }

    private void CheckCoverage()
    {
        long covered = 0;
        foreach (var entry in _entries.Values.OrderBy(entry => entry.Offset).ThenBy(entry => entry.ByteCount))
        {
            if (entry.Offset < covered)
                throw Fault($"tensor {MessageText.Quote(entry.Name)} begins at byte {entry.Offset} of the data "
                    + $"and overlaps another that ends at {covered}.");
            if (entry.Offset > covered)
                throw Fault($"bytes {covered} to {entry.Offset} of the data, before tensor {MessageText.Quote(entry.Name)}, belong to no tensor.");
            covered += entry.ByteCount;
        }
        if (covered != DataLength)
            throw Fault($"the tensors end at byte {covered} of the data, which has {DataLength} bytes; nothing may follow them.");
    }

    private InvalidDataException Fault(string message) => new($"{_source}: {message}");
}

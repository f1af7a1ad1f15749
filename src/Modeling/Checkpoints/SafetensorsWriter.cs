using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Writes safetensors files.</summary>
/// <remarks>
/// The order is the reference writer's: wide element types first, then names (ordinal), so the same tensors give the same
/// bytes in whatever order they come, and every tensor is aligned. The header is padded with spaces to a multiple of 8 bytes.
/// Tensors on another device or not contiguous are copied to the CPU one at a time.
/// </remarks>
public static class SafetensorsWriter
{
    private static readonly JsonWriterOptions HeaderJson = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Writes a file through <see cref="AtomicFile"/>: complete, or not at all.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="tensors">Names and tensors; the tensors stay the caller's.</param>
    /// <param name="metadata">Notes for the header; Hugging Face readers expect <c>format</c> = <c>pt</c> in model files.</param>
    /// <exception cref="ArgumentException">A name, an element type or a note cannot be stored; all faults together, and nothing is written.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(
        string path, IReadOnlyList<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var layout = Plan(tensors, metadata);
        AtomicFile.Write(path, stream => Write(stream, layout, metadata));
    }

    /// <summary>Writes to a stream, which need not seek and stays open.</summary>
    /// <inheritdoc cref="Write(string, IReadOnlyList{KeyValuePair{string, Tensor}}, IReadOnlyDictionary{string, string}?)"/>
    /// <param name="stream">Written from its present position.</param>
    /// <param name="tensors">Names and tensors; the tensors stay the caller's.</param>
    /// <param name="metadata">Notes for the header; Hugging Face readers expect <c>format</c> = <c>pt</c> in model files.</param>
    public static void Write(
        Stream stream, IReadOnlyList<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Write(stream, Plan(tensors, metadata), metadata);
    }

    private static KeyValuePair<string, Tensor>[] Plan(
        IReadOnlyList<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var faults = new List<string>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, tensor) in tensors)
        {
            if (name == SafetensorsHeader.MetadataKey || !IsText(name)) faults.Add($"{MessageText.Quote(name)} cannot name a tensor");
            if (!names.Add(name)) faults.Add($"{MessageText.Quote(name)} is given twice");
            if (!SafetensorsDataType.IsKnown(tensor.dtype))
                faults.Add($"{MessageText.Quote(name)} is {tensor.dtype}; use one of {SafetensorsDataType.Names}");
            if (tensor.is_sparse || tensor.device_type == DeviceType.META)
                faults.Add($"{MessageText.Quote(name)} has no dense data ({(tensor.is_sparse ? "sparse" : "meta device")})");
        }
        foreach (var (key, note) in metadata ?? new Dictionary<string, string>())
            if (!IsText(key) || !IsText(note)) faults.Add($"the note {MessageText.Quote(key)} is not valid Unicode text");
        if (faults.Count > 0)
            throw new ArgumentException($"These tensors cannot be written: {string.Join("; ", faults)}.", nameof(tensors));

        return [.. tensors.OrderBy(pair => SafetensorsDataType.LayoutRank(pair.Value.dtype)).ThenBy(pair => pair.Key, StringComparer.Ordinal)];
    }

    // Half a surrogate pair has no UTF-8 form; the JSON writer would put a replacement character in its place.
    private static bool IsText(string text)
    {
        try
        {
            return StrictUtf8.GetByteCount(text) >= 0;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    private static void Write(Stream stream, KeyValuePair<string, Tensor>[] layout, IReadOnlyDictionary<string, string>? metadata)
    {
        stream.Write(Header(layout, metadata));
        foreach (var (_, tensor) in layout)
        {
            using var scope = NewDisposeScope();
            TensorBytes.ForEachStretch(tensor.detach().cpu().contiguous(), stretch => stream.Write(stretch));
        }
    }

    private static byte[] Header(KeyValuePair<string, Tensor>[] layout, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, HeaderJson))
        {
            json.WriteStartObject();
            WriteMetadata(json, metadata);
            long offset = 0;
            foreach (var (name, tensor) in layout)
            {
                var end = offset + tensor.NumberOfElements * tensor.ElementSize;
                WriteEntry(json, name, tensor, offset, end);
                offset = end;
            }
            json.WriteEndObject();
        }

        var padded = (buffer.WrittenCount + 7) / 8 * 8;
        if (padded > SafetensorsHeader.MaxBytes)
            throw new ArgumentException($"The header takes {padded} bytes; at most {SafetensorsHeader.MaxBytes} are allowed. Shorten names or notes.");
        var bytes = new byte[SafetensorsHeader.LengthBytes + padded];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)padded);
        bytes.AsSpan(SafetensorsHeader.LengthBytes).Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(bytes.AsSpan(SafetensorsHeader.LengthBytes));
        return bytes;
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null || metadata.Count == 0) return;
        json.WriteStartObject(SafetensorsHeader.MetadataKey);
        foreach (var (key, note) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            json.WriteString(key, note);
        json.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter json, string name, Tensor tensor, long begin, long end)
    {
        json.WriteStartObject(name);
        json.WriteString("dtype", SafetensorsDataType.NameOf(tensor.dtype));
        json.WriteStartArray("shape");
        foreach (var size in tensor.shape) json.WriteNumberValue(size);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(begin);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}

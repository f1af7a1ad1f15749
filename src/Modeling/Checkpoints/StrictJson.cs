using System.Text.Json;
using System.Text.Unicode;

namespace MLNetLoRA.Modeling;

/// <summary>JSON from outside: valid UTF-8, no repeated keys, no comments, bounded depth; anything else names its source.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    /// <summary>Parses one JSON object. The caller disposes the document.</summary>
    /// <exception cref="InvalidDataException">Not UTF-8, not JSON, or not an object.</exception>
    public static JsonDocument ParseObject(ReadOnlyMemory<byte> utf8, string source)
    {
        if (!Utf8.IsValid(utf8.Span))
            throw new InvalidDataException($"{source}: the JSON is not valid UTF-8.");
        var document = Guard(source, () => JsonDocument.Parse(utf8, Options));
        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;

        var found = document.RootElement.ValueKind;
        document.Dispose();
        throw new InvalidDataException($"{source}: the JSON holds {Describe(found)}; an object was wanted.");
    }

    /// <summary>Runs a step that reads JSON; faults of the text (half a surrogate pair, say) become one kind of exception.</summary>
    public static T Guard<T>(string source, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{source}: the JSON cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The kind of a JSON value, for messages.</summary>
    public static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };

    /// <summary>Reads a whole file of at most <paramref name="maxBytes"/> bytes.</summary>
    /// <exception cref="InvalidDataException">The file is longer.</exception>
    public static byte[] ReadBounded(string path, int maxBytes)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (!stream.CanSeek)
            throw new InvalidDataException($"{path}: this is a pipe or a device; an ordinary file was wanted.");
        if (stream.Length > maxBytes)
            throw new InvalidDataException($"{path}: the file has {stream.Length} bytes; at most {maxBytes} were expected here.");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}

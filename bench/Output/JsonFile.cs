using System.Text.Json;

namespace MLNetLoRA.Bench.Output;

/// <summary>Numbers as JSON: snake_case names, indented, written beside and moved into place.</summary>
internal static class JsonFile
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
    };

    public static void Write<T>(string path, T value) =>
        Modeling.AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, value, Format));

    /// <summary>What the file holds; null when there is none.</summary>
    public static T? TryRead<T>(string path) where T : class
    {
        if (!File.Exists(path)) return null;
        using var stream = File.OpenRead(path);
        return JsonSerializer.Deserialize<T>(stream, Format);
    }
}

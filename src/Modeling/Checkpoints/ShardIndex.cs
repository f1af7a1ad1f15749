using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary><c>model.safetensors.index.json</c>: which shard of a checkpoint holds which tensor.</summary>
internal static class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";

    private const int MaxBytes = SafetensorsHeader.MaxBytes;

    /// <summary>Tensor name to shard file name; every shard name is a plain name, so it cannot lead out of the folder.</summary>
    /// <exception cref="InvalidDataException">The index is not valid; the message starts with <paramref name="path"/>.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        using var document = StrictJson.ParseObject(StrictJson.ReadBounded(path, MaxBytes), path);
        return StrictJson.Guard(path, () => ReadWeightMap(document.RootElement, path));
    }

    private static Dictionary<string, string> ReadWeightMap(JsonElement root, string path)
    {
        if (!root.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{path}: there is no weight_map object; it says which shard holds which tensor.");

        var shards = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in map.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
                throw new InvalidDataException(
                    $"{path}: weight_map entry {MessageText.Quote(property.Name)} holds "
                    + $"{StrictJson.Describe(property.Value.ValueKind)}; a file name was wanted.");
            var shard = property.Value.GetString()!;
            if (!IsPlainName(shard))
                throw new InvalidDataException(
                    $"{path}: weight_map entry {MessageText.Quote(property.Name)} names {MessageText.Quote(shard)}; "
                    + "a .safetensors file in the same folder was wanted, without any path.");
            shards.Add(property.Name, shard);
        }
        return shards.Count > 0 ? shards : throw new InvalidDataException($"{path}: weight_map is empty; it must name every tensor.");
    }

    // Separators and drive letters of every system count on every system: the same file is safe everywhere.
    private static bool IsPlainName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name[0] != '.'
        && !name.AsSpan().ContainsAny('/', '\\', ':') && !name.Any(char.IsControl);
}

using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>How <c>tokenizer.json</c> is built: parts with a type and switches, where null is the same as absent.</summary>
internal static class JsonParts
{
    public static JsonElement? Part(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var part) && part.ValueKind != JsonValueKind.Null ? part : null;

    public static bool Flag(this JsonElement element, string name, bool otherwise) => element.Part(name)?.GetBoolean() ?? otherwise;

    /// <summary>What an error text calls a part.</summary>
    public static string TypeName(this JsonElement part) => part.Part("type")?.GetString() ?? "(no type)";
}

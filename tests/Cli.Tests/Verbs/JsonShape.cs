using System.Text.Json;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>A JSON value's fields and their kinds, in order: what a reader of the file relies on.</summary>
internal static class JsonShape
{
    public static string Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(", ", value.EnumerateObject().Select(field => $"{field.Name}: {Of(field.Value)}")) + "}",
        JsonValueKind.Array => "[" + string.Join(" | ", value.EnumerateArray().Select(Of).Distinct()) + "]",
        JsonValueKind.Number => value.TryGetInt64(out _) ? "integer" : "number",
        var kind => kind.ToString().ToLowerInvariant(),
    };
}

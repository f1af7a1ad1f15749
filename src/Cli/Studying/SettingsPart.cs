using System.Text.Json;
using System.Text.Json.Serialization;

namespace MLNetLoRA.Cli.Studying;

/// <summary>A part of a settings file, which knows what it did not know.</summary>
internal abstract record SettingsPart
{
    /// <summary>Fields that mean nothing here.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Unknown { get; init; } = [];

    /// <summary>One sentence for each field that means nothing here.</summary>
    /// <param name="place">Where in the file, "variants[1]." for example.</param>
    public IEnumerable<string> UnknownFaults(string place)
    {
        var known = GetType().GetProperties().Where(property => property.Name != nameof(Unknown)).Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
        return Unknown.Keys.Select(name => $"'{place}{name}' is no setting; there {(known.Count() == 1 ? "is" : "are")} {string.Join(", ", known)}.");
    }
}

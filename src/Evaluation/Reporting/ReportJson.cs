using System.Text.Json;
using System.Text.Json.Serialization;

namespace MLNetLoRA.Evaluation;

/// <summary>A report's numbers as one JSON object: names in snake_case, choices as words with hyphens, null for what is no number.</summary>
internal static class ReportJson
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        Converters = { new FiniteNumberConverter(), new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    public static string Of<T>(T report) => JsonSerializer.Serialize(report, Format) + "\n";

    /// <summary>What <see cref="Of"/> wrote; null in place of a number is NaN.</summary>
    /// <exception cref="JsonException">It is no such report, or lacks a property.</exception>
    public static T Read<T>(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize<T>(json, Format) ?? throw new JsonException("There is null in place of a report.");

    // JSON has no NaN and no infinity.
    private sealed class FiniteNumberConverter : JsonConverter<double>
    {
        public override bool HandleNull => true;

        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType is JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }
}

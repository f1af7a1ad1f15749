using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Output;

/// <summary>Writes a verb's numbers as one JSON object: property names in snake_case, null for what there is not.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        Converters = { new FiniteNumberConverter() },
    };

    /// <summary>Writes the report; does nothing without a path.</summary>
    public static void Write<T>(string? path, T report)
    {
        if (path is null) return;
        AtomicFile.Write(path, stream =>
        {
            JsonSerializer.Serialize(stream, report, Format);
            stream.Write("\n"u8);
        });
    }

    /// <summary>Writes what a report says of itself; does nothing without a path.</summary>
    public static void WriteText(string? path, string json)
    {
        if (path is not null) AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(json)));
    }

    // JSON has no NaN and no infinity.
    private sealed class FiniteNumberConverter : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }
}

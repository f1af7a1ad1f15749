using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>What makes two training runs the same: settings that matter, the model they start from, the text; by name.</summary>
/// <param name="Facts">Name and value, in the order in which differences are told.</param>
internal sealed record TrainingFingerprint(IReadOnlyDictionary<string, string> Facts)
{
    private const int LongestShown = 40;

    /// <summary>A sentence for each fact that was another when the checkpoint was written.</summary>
    public IEnumerable<string> DifferencesFrom(TrainingFingerprint saved) =>
        from name in Facts.Keys.Union(saved.Facts.Keys)
        let was = saved.Facts.GetValueOrDefault(name, "absent")
        let now = Facts.GetValueOrDefault(name, "absent")
        where was != now
        select $"{Clean(name)} was {Clean(was)} and is {Clean(now)}";

    /// <summary>A configuration's entries, each a fact of its own.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Of(EncoderConfig config)
    {
        using var json = System.Text.Json.JsonDocument.Parse(config.ToJson());
        return [.. json.RootElement.EnumerateObject().Select(entry => KeyValuePair.Create($"config.json's {entry.Name}", entry.Value.GetRawText()))];
    }

    /// <summary>A tokenizer's files, each a fact of its own.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Of(TextTokenizer tokenizer) => tokenizer.Files.Select(
        file => KeyValuePair.Create($"the tokenizer's {file.Name}", Convert.ToHexStringLower(SHA256.HashData(file.Content.Span))));

    /// <summary>Rows of tokens: how many, and what is in them.</summary>
    public static string Of(IReadOnlyList<EncodedText> rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var row in rows)
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, row.Ids.Length);
            hash.AppendData(length);
            hash.AppendData(MemoryMarshal.AsBytes(row.Ids.AsSpan()));
        }
        return string.Create(CultureInfo.InvariantCulture, $"{rows.Count} windows {Convert.ToHexStringLower(hash.GetHashAndReset())}");
    }

    // Values come from a file: on one line, of bounded length, and a hash is told apart by its beginning.
    private static string Clean(string text)
    {
        var shown = text.Length <= LongestShown ? text : text[..LongestShown] + "…";
        return string.Concat(shown.Select(letter => char.IsControl(letter) ? '?' : letter));
    }
}

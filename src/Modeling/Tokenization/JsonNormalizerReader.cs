using System.Text;
using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Reads the normalizer of <c>tokenizer.json</c> that stands before a Unigram model; what cannot be done exactly is refused by name.</summary>
internal sealed class JsonNormalizerReader(TokenizerFileSet files)
{
    private const string Supported = "Sequence, Precompiled, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace";

    /// <summary>The only expression that checkpoints have here: a run of spaces.</summary>
    private const string RunOfSpaces = " {2,}";

    public Func<string, string> Read(JsonElement? normalizer) => normalizer is { } part ? ReadPart(part, isNested: false) : text => text;

    private Func<string, string> ReadPart(JsonElement part, bool isNested)
    {
        var type = part.TypeName();
        return type switch
        {
            "Sequence" when !isNested => ReadSequence(part),
            "Precompiled" => ReadPrecompiled(part),
            "NFC" => UnicodeFolding.Normalizer(NormalizationForm.FormC, type),
            "NFD" => UnicodeFolding.Normalizer(NormalizationForm.FormD, type),
            "NFKC" => UnicodeFolding.Normalizer(NormalizationForm.FormKC, type),
            "NFKD" => UnicodeFolding.Normalizer(NormalizationForm.FormKD, type),
            "Lowercase" => UnicodeFolding.Lowercase,
            "StripAccents" => UnicodeFolding.StripMarks,
            "Strip" => ReadStrip(part),
            "Replace" => ReadReplace(part),
            _ => throw Unsupported("normalizer", isNested ? $"{type} in a Sequence" : type, Supported),
        };
    }

    private Func<string, string> ReadSequence(JsonElement part)
    {
        var steps = part.GetProperty("normalizers").EnumerateArray().Select(step => ReadPart(step, isNested: true)).ToArray();
        return text => steps.Aggregate(text, (current, step) => step(current));
    }

    private Func<string, string> ReadPrecompiled(JsonElement part)
    {
        var map = PrecompiledCharacterMap.Read(
            part.GetProperty("precompiled_charsmap").GetBytesFromBase64(), text => files.Fault(TokenizerFileSet.TokenizerJson, text));
        return map is null ? text => text : new GraphemeReplacement(map).Replace;
    }

    private static Func<string, string> ReadStrip(JsonElement part)
    {
        var (left, right) = (part.GetProperty("strip_left").GetBoolean(), part.GetProperty("strip_right").GetBoolean());
        return text => (left, right) switch
        {
            (true, true) => text.Trim(),
            (true, false) => text.TrimStart(),
            (false, true) => text.TrimEnd(),
            _ => text,
        };
    }

    private Func<string, string> ReadReplace(JsonElement part)
    {
        var pattern = part.GetProperty("pattern");
        var content = part.GetProperty("content").GetString()!;
        if (pattern.Part("String")?.GetString() is { Length: > 0 } literal) return text => text.Replace(literal, content, StringComparison.Ordinal);
        if (pattern.Part("Regex")?.GetString() == RunOfSpaces) return text => ReplaceRuns(text, content);
        throw Unsupported("normalizer.Replace.pattern", pattern.GetRawText(), $"a String, or the Regex '{RunOfSpaces}'");
    }

    private static string ReplaceRuns(string text, string content)
    {
        if (!text.Contains("  ", StringComparison.Ordinal)) return text;
        var replaced = new StringBuilder(text.Length);
        for (ReadOnlySpan<char> rest = text; !rest.IsEmpty;)
        {
            var spaces = rest.IndexOfAnyExcept(' ') is var end and >= 0 ? end : rest.Length;
            replaced.Append(spaces > 1 ? content : rest[..spaces]);
            rest = rest[spaces..];
            var letters = rest.IndexOf(' ') is var next and >= 0 ? next : rest.Length;
            replaced.Append(rest[..letters]);
            rest = rest[letters..];
        }
        return replaced.ToString();
    }

    private InvalidDataException Unsupported(string part, string found, string wanted) =>
        files.Unsupported(TokenizerFileSet.TokenizerJson, part, found, wanted);
}

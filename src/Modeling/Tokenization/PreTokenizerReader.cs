using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Reads how <c>tokenizer.json</c> cuts text into words for byte-level BPE: GPT-2's way, Llama 3's or Qwen2's; others are refused by name.</summary>
internal sealed class PreTokenizerReader(TokenizerFileSet files, TokenizerConfig config)
{
    private const string Supported = "ByteLevel, or a Sequence of Split and ByteLevel (for BPE)";

    private static readonly Dictionary<string, int> DigitsOfPattern =
        new[] { 1, 3 }.ToDictionary(TiktokenWordCutter.Pattern, digits => digits, StringComparer.Ordinal);

    /// <summary>The cutter, and whether a text that does not begin with a space is given one.</summary>
    public (IWordCutter Cutter, bool AddsPrefixSpace) Read(JsonElement cutter) => cutter.TypeName() switch
    {
        "ByteLevel" => ReadBytes(cutter),
        "Sequence" => ReadSequence(cutter),
        var type => throw Unsupported("pre_tokenizer", type, Supported),
    };

    private (IWordCutter, bool) ReadBytes(JsonElement cutter)
    {
        if (!cutter.Flag("use_regex", true)) throw Unsupported("pre_tokenizer.use_regex", "false", "true");
        return (new Gpt2WordCutter(), config.Flag("add_prefix_space", null) ?? cutter.Flag("add_prefix_space", true));
    }

    private (IWordCutter, bool) ReadSequence(JsonElement cutter)
    {
        JsonElement[] steps = [.. cutter.GetProperty("pretokenizers").EnumerateArray()];
        if (steps is not [var split, var bytes] || split.TypeName() != "Split" || bytes.TypeName() != "ByteLevel")
            throw Unsupported("pre_tokenizer", $"Sequence of {string.Join(", ", steps.Select(step => step.TypeName()))}", Supported);
        if (bytes.Flag("use_regex", true)) throw Unsupported("pre_tokenizer.ByteLevel.use_regex", "true", "false (after a Split)");
        if (bytes.Flag("add_prefix_space", true)) throw Unsupported("pre_tokenizer.ByteLevel.add_prefix_space", "true", "false (after a Split)");
        if (split.Part("behavior")?.GetString() is var behavior and not "Isolated") throw Unsupported("pre_tokenizer.Split.behavior", behavior ?? "none", "Isolated");
        if (split.Flag("invert", false)) throw Unsupported("pre_tokenizer.Split.invert", "true", "false");
        var pattern = split.GetProperty("pattern");
        return DigitsOfPattern.TryGetValue(pattern.Part("Regex")?.GetString() ?? "", out var digits)
            ? (new TiktokenWordCutter(digits), false)
            : throw Unsupported("pre_tokenizer.Split.pattern", pattern.GetRawText(), "the expressions of Llama 3 and Qwen2");
    }

    private InvalidDataException Unsupported(string part, string found, string wanted) =>
        files.Unsupported(TokenizerFileSet.TokenizerJson, part, found, wanted);
}

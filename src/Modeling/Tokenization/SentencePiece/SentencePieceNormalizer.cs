using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>Text as a SentencePiece model reads it: characters replaced by its map, spaces tidied and written as <c>▁</c>.</summary>
/// <remarks>Steps and order are those of SentencePiece's <c>Normalizer::Normalize</c>. User-defined pieces stay as they are written.</remarks>
internal sealed class SentencePieceNormalizer(
    PrecompiledCharacterMap? characterMap, PieceTrie? userDefined, bool addsPrefix, bool removesExtraSpaces)
{
    private const char Space = SentencePieceFile.Space;
    private const int AsciiCount = 128;

    /// <summary>The characters that nothing can happen to while the next one is ASCII: most of most texts.</summary>
    private readonly bool[] _isPlain =
    [
        .. Enumerable.Range(0, AsciiCount).Select(value => (char)value).Select(character => character != ' '
            && characterMap?.LeavesAscii(character) != false && userDefined?.Next(PieceTrie.Root, character) is null or PieceTrie.None),
    ];

    /// <param name="text">Valid UTF-16.</param>
    public string Normalize(ReadOnlySpan<char> text)
    {
        var normalized = new StringBuilder(text.Length + 1);
        var hasBegun = false;
        var isAfterSpace = removesExtraSpaces;      // so that spaces at the beginning are extra
        while (!text.IsEmpty)
        {
            var part = Replace(text, out var length);
            text = text[length..];
            if (!hasBegun)
            {
                if (removesExtraSpaces && part is " ") continue;
                hasBegun = true;
                if (addsPrefix) normalized.Append(Space);
            }
            if (isAfterSpace) part = part.TrimStart(' ');
            if (part.IsEmpty) continue;
            AppendEscaped(part, normalized);
            isAfterSpace = removesExtraSpaces && part[^1] == ' ';
        }
        if (removesExtraSpaces)
            while (normalized.Length > 0 && normalized[^1] == Space) normalized.Length--;
        return normalized.ToString();
    }

    /// <summary>What the beginning of a text becomes: plain characters and a user-defined piece themselves, or a rule's replacement.</summary>
    private ReadOnlySpan<char> Replace(ReadOnlySpan<char> text, out int length)
    {
        length = PlainLength(text);
        if (length > 0) return text[..length];
        length = userDefined?.MatchLongest(text) ?? 0;
        if (length > 0) return text[..length];
        if (characterMap?.MatchLongest(text, out length) is { } replacement) return replacement;
        length = Utf16.RuneAt(text, 0).Utf16SequenceLength;
        return text[..length];
    }

    private int PlainLength(ReadOnlySpan<char> text)
    {
        var length = 0;
        while (length < text.Length && text[length] < AsciiCount && _isPlain[text[length]]
            && (length + 1 == text.Length || text[length + 1] < AsciiCount)) length++;
        return length;
    }

    private static void AppendEscaped(ReadOnlySpan<char> part, StringBuilder normalized)
    {
        while (part.IndexOf(' ') is var space and >= 0)
        {
            normalized.Append(part[..space]).Append(Space);
            part = part[(space + 1)..];
        }
        normalized.Append(part);
    }
}

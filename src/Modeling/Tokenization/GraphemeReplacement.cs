using System.Globalization;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>A character map as Hugging Face's <c>Precompiled</c> applies it: to what a reader takes for one character, or else to each code point.</summary>
/// <remarks>
/// SentencePiece replaces the longest text that a rule is for. Here the rule for the shortest beginning of a grapheme replaces the whole of it
/// when it has fewer than six bytes, even when the rule is only for its first code point: ids have to be those of the library that reads the file.
/// </remarks>
internal sealed class GraphemeReplacement(PrecompiledCharacterMap map)
{
    private const int WholeBelowBytes = 6;

    /// <param name="text">Valid UTF-16.</param>
    public string Replace(string text)
    {
        var replaced = new StringBuilder(text.Length);
        for (ReadOnlySpan<char> rest = text; !rest.IsEmpty;)
        {
            var length = StringInfo.GetNextTextElementLength(rest);
            Append(rest[..length], replaced);
            rest = rest[length..];
        }
        return replaced.ToString();
    }

    private void Append(ReadOnlySpan<char> grapheme, StringBuilder replaced)
    {
        if (Encoding.UTF8.GetByteCount(grapheme) < WholeBelowBytes && map.MatchShortest(grapheme, out _) is { } whole)
        {
            replaced.Append(whole);
            return;
        }
        for (var position = 0; position < grapheme.Length;)
        {
            var length = Utf16.RuneAt(grapheme, position).Utf16SequenceLength;
            var point = grapheme.Slice(position, length);
            replaced.Append(map.MatchShortest(point, out _) ?? point);
            position += length;
        }
    }
}

using System.Buffers;
using System.Globalization;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>A token that is matched in the text before any subword is: special tokens, and words a user added.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The exact text it stands for.</param>
/// <param name="IsSpecial">Whether it is a control token rather than text.</param>
/// <param name="StripsLeft">Whether white space before it belongs to it (RoBERTa's mask).</param>
/// <param name="StripsRight">Whether white space after it belongs to it.</param>
/// <param name="IsSingleWord">Whether it matches only between non-word characters.</param>
/// <param name="IsNormalized">Whether it is looked for in the normalized text rather than in the text as written.</param>
internal sealed record AddedToken(
    int Id, string Content, bool IsSpecial, bool StripsLeft = false, bool StripsRight = false, bool IsSingleWord = false, bool IsNormalized = false);

/// <summary>A stretch of text: an added token's (with its id) or ordinary text (without).</summary>
internal readonly record struct TextSegment(string Text, int? Id);

/// <summary>Cuts a text at the added tokens in it: leftmost first, the longest where several begin at one place.</summary>
internal sealed class AddedTokenSplitter
{
    private readonly AddedToken[] _longestFirst;
    private readonly SearchValues<char> _firstCharacters;

    public AddedTokenSplitter(IEnumerable<AddedToken> tokens)
    {
        _longestFirst = [.. tokens.Where(token => token.Content.Length > 0).OrderByDescending(token => token.Content.Length)];
        _firstCharacters = SearchValues.Create([.. _longestFirst.Select(token => token.Content[0])]);
    }

    public IEnumerable<TextSegment> Split(string text)
    {
        var done = 0;
        var from = 0;
        while (Find(text, from) is var (start, token))
        {
            var end = start + token.Content.Length;
            from = end;
            if (token.IsSingleWord && (EndsWithWord(text.AsSpan(0, start)) || StartsWithWord(text.AsSpan(end)))) continue;
            if (token.StripsLeft) start = Math.Max(done, text.AsSpan(0, start).TrimEnd().Length);
            if (token.StripsRight) end = text.Length - text.AsSpan(end).TrimStart().Length;
            if (start > done) yield return new TextSegment(text[done..start], null);
            yield return new TextSegment(token.Content, token.Id);
            from = done = end;
        }
        if (done < text.Length) yield return new TextSegment(done == 0 ? text : text[done..], null);
    }

    private (int Start, AddedToken Token)? Find(string text, int from)
    {
        while (from < text.Length)
        {
            var offset = text.AsSpan(from).IndexOfAny(_firstCharacters);
            if (offset < 0) return null;
            from += offset;
            foreach (var token in _longestFirst)
                if (string.CompareOrdinal(text, from, token.Content, 0, token.Content.Length) == 0) return (from, token);
            from++;
        }
        return null;
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && IsWordCharacter(rune);

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && IsWordCharacter(rune);

    // Regular expressions' \w.
    private static bool IsWordCharacter(Rune rune) => Rune.IsLetterOrDigit(rune) || Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.ConnectorPunctuation or UnicodeCategory.LetterNumber;
}

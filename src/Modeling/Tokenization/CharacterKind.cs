using System.Globalization;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>What word patterns tell apart: <c>\p{L}</c>, <c>\p{N}</c>, <c>\s</c>, and the rest.</summary>
internal enum CharacterKind { Letter, Number, WhiteSpace, Other }

/// <summary>Looks at characters, one or two UTF-16 units each, where .NET's expressions would see units.</summary>
internal static class CharacterKinds
{
    public static CharacterKind At(ReadOnlySpan<char> text, int position) => Of(Utf16.RuneAt(text, position));

    public static CharacterKind Of(Rune rune)
    {
        if (Rune.IsWhiteSpace(rune)) return CharacterKind.WhiteSpace;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharacterKind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterKind.Number,
            _ => CharacterKind.Other,
        };
    }

    /// <summary>Length in UTF-16 units of the characters of one kind that a text begins with.</summary>
    /// <param name="text">The text.</param>
    /// <param name="kind">The kind.</param>
    /// <param name="most">No more than about so many units.</param>
    public static int RunLength(ReadOnlySpan<char> text, CharacterKind kind, int most)
    {
        var length = 0;
        while (length < text.Length && length < most)
        {
            var rune = Utf16.RuneAt(text, length);
            if (Of(rune) != kind) break;
            length += rune.Utf16SequenceLength;
        }
        return length;
    }
}

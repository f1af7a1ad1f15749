using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>.NET strings may hold surrogates without their partner, which no Unicode text has.</summary>
internal static class Utf16
{
    /// <summary>The text with U+FFFD for every lone surrogate; the same instance when there is none.</summary>
    public static string ReplaceInvalid(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0) return text;
        var valid = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) valid.Append(rune);   // the enumerator does the replacing
        return valid.ToString();
    }

    /// <summary>The character at a position of a valid text, one or two UTF-16 units long.</summary>
    public static Rune RuneAt(ReadOnlySpan<char> text, int position)
    {
        Rune.DecodeFromUtf16(text[position..], out var rune, out _);
        return rune;
    }
}

using System.Globalization;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>BERT's text folding: control characters out, ideographs apart, accents and case away, each by its own switch.</summary>
/// <remarks>
/// Ours because Microsoft.ML.Tokenizers 2.0.1's BertTokenizer gives other ids: it loses symbols (<c>$ = | €</c>, emoji) and joins the words on both
/// sides of a tab or newline. Order and character classes are those of Hugging Face's <c>BertNormalizer</c>.
/// </remarks>
/// <param name="CleansText">Whether control characters, NUL and U+FFFD are dropped and every white space becomes a space.</param>
/// <param name="SplitsIdeographs">Whether Chinese, Japanese and Korean ideographs stand as words of their own.</param>
/// <param name="StripsAccents">Whether characters are decomposed (NFD) and their non-spacing marks dropped.</param>
/// <param name="Lowercases">Whether capitals are lowered.</param>
internal sealed record BertNormalizer(bool CleansText, bool SplitsIdeographs, bool StripsAccents, bool Lowercases)
{
    public string Normalize(string text)
    {
        if (CleansText || SplitsIdeographs) text = CleanAndSplit(text);
        if (StripsAccents) text = StripAccents(text);
        return Lowercases ? UnicodeFolding.Lowercase(text) : text;
    }

    /// <exception cref="PlatformNotSupportedException">Accents are to be stripped and this process cannot decompose text.</exception>
    public void RequireDecomposition()
    {
        if (StripsAccents) UnicodeFolding.RequireNormalForms("This BERT tokenizer strips accents, which");
    }

    private string CleanAndSplit(string text)
    {
        var cleaned = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (CleansText && IsDropped(rune)) continue;
            if (CleansText && IsSpace(rune)) cleaned.Append(' ');
            else if (SplitsIdeographs && IsIdeograph(rune.Value)) cleaned.Append(' ').Append(rune).Append(' ');
            else cleaned.Append(rune);
        }
        return cleaned.ToString();
    }

    private static string StripAccents(string text)
    {
        if (Ascii.IsValid(text)) return text;
        // Normalize refuses U+FFFE, which no text means.
        return UnicodeFolding.StripMarks(text.Replace("\uFFFE", "", StringComparison.Ordinal).Normalize(NormalizationForm.FormD));
    }

    private static bool IsDropped(Rune rune) => rune.Value is 0 or 0xFFFD || (!IsSpace(rune) && Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse);

    // NEL (U+0085), vertical tab and form feed are white space to .NET, control characters to BERT.
    private static bool IsSpace(Rune rune) => rune.Value is '\t' or '\n' or '\r'
        || (Rune.IsWhiteSpace(rune) && Rune.GetUnicodeCategory(rune) != UnicodeCategory.Control);

    private static bool IsIdeograph(int character) => character
        is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
        or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B820 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}

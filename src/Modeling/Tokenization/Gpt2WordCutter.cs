namespace MLNetLoRA.Modeling;

/// <summary>GPT-2's words: <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.</summary>
/// <remarks>
/// The pattern speaks of characters, while .NET's expressions see UTF-16 units, to which a letter beyond U+FFFF is two symbols (𝔘 would join
/// punctuation).
/// </remarks>
internal sealed class Gpt2WordCutter : IWordCutter
{
    private const int Most = IWordCutter.MaxWordLength;

    public int WordLength(ReadOnlySpan<char> text)
    {
        var contraction = ContractionLength(text);
        if (contraction > 0) return contraction;

        var kind = CharacterKinds.At(text, 0);
        if (kind != CharacterKind.WhiteSpace) return CharacterKinds.RunLength(text, kind, Most);
        if (text[0] == ' ' && text.Length > 1 && CharacterKinds.At(text, 1) is var next and not CharacterKind.WhiteSpace)
            return 1 + CharacterKinds.RunLength(text[1..], next, Most);

        // White space before a word leaves its last character to the word; white space alone is one word.
        var spaces = CharacterKinds.RunLength(text, CharacterKind.WhiteSpace, Most);
        return spaces == text.Length || spaces == 1 ? spaces : spaces - 1;
    }

    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text is not ['\'', ..]) return 0;
        return text[1..] switch
        {
            ['s' or 't' or 'm' or 'd', ..] => 2,
            ['r', 'e', ..] or ['v', 'e', ..] or ['l', 'l', ..] => 3,
            _ => 0,
        };
    }
}

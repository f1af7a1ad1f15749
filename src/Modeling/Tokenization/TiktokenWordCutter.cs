namespace MLNetLoRA.Modeling;

/// <summary>The words of Llama 3 and Qwen2, which are those of OpenAI's cl100k_base but for the length of numbers.</summary>
/// <remarks>
/// <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>, read character by
/// character as <see cref="Gpt2WordCutter"/> does.
/// </remarks>
/// <param name="mostDigits">k: 3 for Llama 3, 1 for Qwen2.</param>
internal sealed class TiktokenWordCutter(int mostDigits) : IWordCutter
{
    private const int Most = IWordCutter.MaxWordLength;

    /// <summary>As the pattern stands in tokenizer.json, for numbers of so many digits.</summary>
    public static string Pattern(int mostDigits) =>
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + (mostDigits == 1 ? "" : $"{{1,{mostDigits}}}")
            + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // One line for each alternative, in the pattern's order: the first that matches is the word.
    public int WordLength(ReadOnlySpan<char> text) =>
        ContractionLength(text) is > 0 and var contraction ? contraction
            : LettersLength(text) is > 0 and var letters ? letters
            : DigitsLength(text) is > 0 and var digits ? digits
            : SymbolsLength(text) is > 0 and var symbols ? symbols
            : LinesLength(text) is > 0 and var lines ? lines
            : SpacesLength(text);

    // Case is ignored as Unicode folds it: the long s is an s.
    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text is not ['\'', ..]) return 0;
        return text[1..] switch
        {
            ['s' or 'S' or 'ſ' or 't' or 'T' or 'm' or 'M' or 'd' or 'D', ..] => 2,
            ['r' or 'R', 'e' or 'E', ..] or ['v' or 'V', 'e' or 'E', ..] or ['l' or 'L', 'l' or 'L', ..] => 3,
            _ => 0,
        };
    }

    // One character that is neither letter, number nor line end may stand before the letters, a space or a quotation mark say.
    private static int LettersLength(ReadOnlySpan<char> text)
    {
        var first = Utf16.RuneAt(text, 0);
        var before = CharacterKinds.Of(first) is CharacterKind.Letter or CharacterKind.Number || IsLineEnd(text[0]) ? 0 : first.Utf16SequenceLength;
        var letters = CharacterKinds.RunLength(text[before..], CharacterKind.Letter, Most);
        return letters == 0 ? 0 : before + letters;
    }

    private int DigitsLength(ReadOnlySpan<char> text)
    {
        var length = 0;
        for (var digits = 0; digits < mostDigits && length < text.Length; digits++)
        {
            var rune = Utf16.RuneAt(text, length);
            if (CharacterKinds.Of(rune) != CharacterKind.Number) break;
            length += rune.Utf16SequenceLength;
        }
        return length;
    }

    private static int SymbolsLength(ReadOnlySpan<char> text)
    {
        var before = text[0] == ' ' ? 1 : 0;
        var symbols = CharacterKinds.RunLength(text[before..], CharacterKind.Other, Most);
        if (symbols == 0) return 0;
        var length = before + symbols;
        while (length < text.Length && length < Most && IsLineEnd(text[length])) length++;
        return length;
    }

    // White space up to the last line end in it.
    private static int LinesLength(ReadOnlySpan<char> text)
    {
        var spaces = CharacterKinds.RunLength(text, CharacterKind.WhiteSpace, Most);
        return text[..spaces].LastIndexOfAny('\r', '\n') + 1;
    }

    // White space before a word leaves its last character to the word.
    private static int SpacesLength(ReadOnlySpan<char> text)
    {
        var spaces = CharacterKinds.RunLength(text, CharacterKind.WhiteSpace, Most);
        return spaces == text.Length || spaces == 1 ? spaces : spaces - 1;
    }

    private static bool IsLineEnd(char character) => character is '\r' or '\n';
}

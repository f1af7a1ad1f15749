using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetLoRA.Modeling;

/// <summary>GPT-2's byte-level BPE, as RoBERTa uses it: text is cut into words, each word's UTF-8 bytes are merged by rank.</summary>
/// <remarks>
/// Merging is Microsoft.ML.Tokenizers' <see cref="BpeTokenizer"/>. Cutting is ours: GPT-2's pattern
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c> speaks of characters, while .NET's expressions see UTF-16
/// units, to which a letter beyond U+FFFF is two symbols (𝔘 would join punctuation). Its RoBERTa tokenizer is not used: it maps ids through
/// fairseq's own file.
/// </remarks>
internal sealed class ByteLevelBpe : ISubwordModel
{
    /// <summary>How the vocabulary writes a space: byte 0x20 moved up by 0x100.</summary>
    private const char Space = 'Ġ';

    // The merger is quadratic in the length of a word. Text never has words this long; an unbroken run of 'a' may, and is merged block by block,
    // which can differ from Hugging Face only at the seams.
    private const int MaxWordLength = 4096;

    private readonly IReadOnlyDictionary<string, int> _vocabulary;
    private readonly BpeTokenizer _merger;
    private readonly bool _addsPrefixSpace;
    private readonly PieceCache _cache = new();

    private ByteLevelBpe(IReadOnlyDictionary<string, int> vocabulary, IEnumerable<string> merges, string unknownToken, bool addsPrefixSpace)
    {
        _vocabulary = vocabulary;
        _addsPrefixSpace = addsPrefixSpace;
        _merger = BpeTokenizer.Create(new BpeOptions(vocabulary) { Merges = merges, ByteLevel = true, UnknownToken = unknownToken });
    }

    /// <param name="vocabulary">Tokens in GPT-2's byte alphabet.</param>
    /// <param name="merges">Pairs with a space between, best first; all their tokens are in the vocabulary.</param>
    /// <param name="unknownToken">Stands for a byte that the vocabulary lacks, which no published vocabulary does.</param>
    /// <param name="unknownId">Its id; it may be an added token beside the vocabulary.</param>
    /// <param name="addsPrefixSpace">Whether a text that does not begin with a space is given one.</param>
    public static ByteLevelBpe Create(
        IReadOnlyDictionary<string, int> vocabulary, IEnumerable<string> merges, string unknownToken, int unknownId, bool addsPrefixSpace) =>
        new(new Dictionary<string, int>(vocabulary, StringComparer.Ordinal) { [unknownToken] = unknownId }, merges, unknownToken, addsPrefixSpace);

    public string Normalize(string text) => text;

    public bool StartsWord(string token) => token.StartsWith(Space);

    public int MissingByteCount => ByteSymbols().Count(symbol => !_vocabulary.ContainsKey(symbol.ToString()));

    public void Encode(ReadOnlySpan<char> text, int enough, List<int> ids)
    {
        if (_addsPrefixSpace && text[0] != ' ') text = $" {text}";
        while (!text.IsEmpty && ids.Count < enough)
        {
            var length = WordLength(text);
            EncodeWord(text[..length], ids);
            text = text[length..];
        }
    }

    public void AppendText(IReadOnlyList<string> tokens, StringBuilder text)
    {
        if (tokens.Count > 0) text.Append(_merger.Decode(tokens.Select(token => _vocabulary[token])));
    }

    // GPT-2's alphabet: printable Latin-1 characters stand for their own byte, U+0100 and up for the others in turn.
    private static IEnumerable<char> ByteSymbols()
    {
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
            yield return value is (>= '!' and <= '~') or (>= '\u00A1' and <= '\u00AC') or (>= '\u00AE' and <= '\u00FF') ? (char)value : next++;
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (!_cache.TryGet(word, out var wordIds))
        {
            wordIds = [.. _merger.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false)];
            _cache.Add(word, wordIds);
        }
        ids.AddRange(wordIds);
    }

    /// <summary>Length in UTF-16 units of the first match of GPT-2's pattern, cut at <see cref="MaxWordLength"/>.</summary>
    private static int WordLength(ReadOnlySpan<char> text)
    {
        var contraction = ContractionLength(text);
        if (contraction > 0) return contraction;

        var kind = KindOf(Utf16.RuneAt(text, 0));
        if (kind != CharacterKind.WhiteSpace) return RunLength(text, kind);
        if (text[0] == ' ' && text.Length > 1 && KindOf(Utf16.RuneAt(text, 1)) is var next and not CharacterKind.WhiteSpace)
            return 1 + RunLength(text[1..], next);

        // White space before a word leaves its last character to the word; white space alone is one word.
        var spaces = RunLength(text, CharacterKind.WhiteSpace);
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

    private static int RunLength(ReadOnlySpan<char> text, CharacterKind kind)
    {
        var length = 0;
        while (length < text.Length && length < MaxWordLength)
        {
            var rune = Utf16.RuneAt(text, length);
            if (KindOf(rune) != kind) break;
            length += rune.Utf16SequenceLength;
        }
        return length;
    }

    private enum CharacterKind { Letter, Number, WhiteSpace, Other }

    private static CharacterKind KindOf(Rune rune)
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
}

using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>BERT's WordPiece: words and punctuation marks, each spelled by the longest tokens that fit from its beginning on.</summary>
/// <remarks>
/// Ours because Microsoft.ML.Tokenizers 2.0.1's WordPieceTokenizer counts a word's length in UTF-16 units (Hugging Face: in characters), refuses a
/// vocabulary with a line that repeats, and takes it only as lines, where a <c>tokenizer.json</c> may leave ids free.
/// </remarks>
internal sealed class WordPieceModel : ISubwordModel
{
    /// <summary>What BERT writes before a token that continues a word.</summary>
    public const string ContinuationPrefix = "##";

    /// <summary>BERT's limit, in characters; a longer word is unknown.</summary>
    public const int MaxWordCharacters = 100;

    private readonly BertNormalizer _normalizer;
    private readonly string _continuationPrefix;
    private readonly int _maxWordCharacters;
    private readonly int _unknownId;
    private readonly int _maxTokenLength;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _starts;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _continuations;
    private readonly PieceCache _cache = new();

    public WordPieceModel(
        IReadOnlyDictionary<string, int> vocabulary, BertNormalizer normalizer, string continuationPrefix, int maxWordCharacters, int unknownId)
    {
        normalizer.RequireDecomposition();
        _normalizer = normalizer;
        _continuationPrefix = continuationPrefix;
        _maxWordCharacters = maxWordCharacters;
        _unknownId = unknownId;
        var starts = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        var continuations = vocabulary.Where(entry => entry.Key.StartsWith(continuationPrefix, StringComparison.Ordinal))
            .ToDictionary(entry => entry.Key[continuationPrefix.Length..], entry => entry.Value, StringComparer.Ordinal);
        _maxTokenLength = starts.Keys.Max(token => token.Length);
        _starts = starts.GetAlternateLookup<ReadOnlySpan<char>>();
        _continuations = continuations.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public string Normalize(string text) => _normalizer.Normalize(text);

    public bool StartsWord(string token) => !token.StartsWith(_continuationPrefix, StringComparison.Ordinal);

    public void Encode(ReadOnlySpan<char> text, int enough, List<int> ids)
    {
        var start = 0;
        for (var position = 0; position < text.Length && ids.Count < enough;)
        {
            var rune = Utf16.RuneAt(text, position);
            var next = position + rune.Utf16SequenceLength;
            var isPunctuation = IsPunctuation(rune);
            if (isPunctuation || Rune.IsWhiteSpace(rune))
            {
                EncodeWord(text[start..position], ids);
                if (isPunctuation) EncodeWord(text[position..next], ids);
                start = next;
            }
            position = next;
        }
        if (ids.Count < enough) EncodeWord(text[start..], ids);
    }

    public void AppendText(IReadOnlyList<string> tokens, StringBuilder text)
    {
        foreach (var token in tokens)
        {
            if (!StartsWord(token)) text.Append(token, _continuationPrefix.Length, token.Length - _continuationPrefix.Length);
            else text.Append(text.Length > 0 ? " " : "").Append(token);
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.IsEmpty) return;
        if (!_cache.TryGet(word, out var wordIds))
        {
            wordIds = Spell(word);
            _cache.Add(word, wordIds);
        }
        ids.AddRange(wordIds);
    }

    /// <summary>The longest token at each place; the unknown token alone for a word that has a place without one, or too many characters.</summary>
    private int[] Spell(ReadOnlySpan<char> word)
    {
        if (CharacterCount(word) > _maxWordCharacters) return [_unknownId];
        var ids = new List<int>();
        while (!word.IsEmpty)
        {
            var vocabulary = ids.Count == 0 ? _starts : _continuations;
            var length = Math.Min(word.Length, _maxTokenLength);
            var id = 0;
            while (length > 0 && !vocabulary.TryGetValue(word[..length], out id)) length--;
            if (length == 0) return [_unknownId];
            ids.Add(id);
            word = word[length..];
        }
        return [.. ids];
    }

    private static int CharacterCount(ReadOnlySpan<char> word)
    {
        var count = 0;
        foreach (var _ in word.EnumerateRunes()) count++;
        return count;
    }

    // BERT counts ASCII symbols such as $ and ^ as punctuation, Unicode does not.
    private static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? char.IsAsciiLetterOrDigit((char)rune.Value) is false && rune.Value is > ' ' and < 0x7F
        : Rune.IsPunctuation(rune);
}

using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetLoRA.Modeling;

/// <summary>GPT-2's byte-level BPE: text is cut into words, each word's UTF-8 bytes are merged by rank.</summary>
/// <remarks>
/// Merging is Microsoft.ML.Tokenizers' <see cref="BpeTokenizer"/>; cutting is ours. Its RoBERTa tokenizer is not used: it maps ids through
/// fairseq's own file.
/// </remarks>
internal sealed class ByteLevelBpe : ISubwordModel, IByteSpelling
{
    /// <summary>How the vocabulary writes a space: byte 0x20 moved up by 0x100.</summary>
    private const char Space = 'Ġ';

    private static readonly char[] SymbolOfByte = [.. ByteSymbols()];
    private static readonly Dictionary<char, byte> ByteOfSymbol = SymbolOfByte.Index().ToDictionary(entry => entry.Item, entry => (byte)entry.Index);

    private readonly IReadOnlyDictionary<string, int> _vocabulary;
    private readonly BpeTokenizer _merger;
    private readonly PieceCache _cache = new();

    /// <param name="vocabulary">Tokens in GPT-2's byte alphabet.</param>
    /// <param name="merges">Pairs with a space between, best first; all their tokens are in the vocabulary.</param>
    /// <param name="unknown">Stands for a byte that the vocabulary lacks, which no published vocabulary does; it may be an added token beside it.</param>
    public ByteLevelBpe(IReadOnlyDictionary<string, int> vocabulary, IEnumerable<string> merges, (string Token, int Id)? unknown)
    {
        var tokens = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        if (unknown is { } stranger) tokens[stranger.Token] = stranger.Id;
        _vocabulary = tokens;
        _merger = BpeTokenizer.Create(new BpeOptions(tokens) { Merges = merges, ByteLevel = true, UnknownToken = unknown?.Token });
    }

    /// <summary>Whether a text that does not begin with a space is given one.</summary>
    public bool AddsPrefixSpace { get; init; }

    /// <summary>Whether a word that is in the vocabulary as it stands is that token, merges or not.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>How text is cut into words.</summary>
    public IWordCutter Cutter { get; init; } = new Gpt2WordCutter();

    /// <summary>What becomes of a text before it is cut; by default nothing.</summary>
    public Func<string, string> Normalizer { get; init; } = text => text;

    public string Normalize(string text) => Normalizer(text);

    public bool StartsWord(string token) => token.StartsWith(Space);

    public int MissingByteCount => SymbolOfByte.Count(symbol => !_vocabulary.ContainsKey(symbol.ToString()));

    public void Encode(ReadOnlySpan<char> text, int enough, List<int> ids)
    {
        if (AddsPrefixSpace && text[0] != ' ') text = $" {text}";
        while (!text.IsEmpty && ids.Count < enough)
        {
            var length = Cutter.WordLength(text);
            EncodeWord(text[..length], ids);
            text = text[length..];
        }
    }

    public void AppendText(IReadOnlyList<string> tokens, StringBuilder text)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens) AppendBytes(token, isFirst: false, bytes);
        text.Append(Encoding.UTF8.GetString([.. bytes]));
    }

    /// <summary>A token that is not in the byte alphabet is text as it stands.</summary>
    public void AppendBytes(string token, bool isFirst, List<byte> bytes)
    {
        if (token.All(ByteOfSymbol.ContainsKey)) bytes.AddRange(token.Select(symbol => ByteOfSymbol[symbol]));
        else bytes.AddRange(Encoding.UTF8.GetBytes(token));
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
            wordIds = IgnoresMerges && WholeWord(word) is { } id ? [id] : [.. _merger.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false)];
            _cache.Add(word, wordIds);
        }
        ids.AddRange(wordIds);
    }

    private int? WholeWord(ReadOnlySpan<char> word)
    {
        var symbols = string.Concat(Encoding.UTF8.GetBytes(word.ToString()).Select(value => SymbolOfByte[value]));
        return _vocabulary.TryGetValue(symbols, out var id) ? id : null;
    }
}

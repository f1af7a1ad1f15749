using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>A SentencePiece model file of kind BPE: of all neighbours that make a piece, the best piece is merged first, the leftmost of equals.</summary>
/// <remarks>Source: SentencePiece's <c>bpe::Model::Encode</c>. Merges stay within a word, so words are spelled apart and kept in a cache.</remarks>
internal sealed class SentencePieceBpe : ISubwordModel, IByteSpelling
{
    private readonly SentencePieceNormalizer _normalizer;
    private readonly SentencePieceNormalizer _laterNormalizer;
    private readonly PieceTrie? _userDefined;
    private readonly UnknownSpelling _unknown;
    private readonly Dictionary<string, Piece>.AlternateLookup<ReadOnlySpan<char>> _pieces;
    private readonly bool _spellsByWord;
    private readonly bool _hasBytes;
    private readonly bool _hasPrefix;
    private readonly PieceCache _cache = new();

    private readonly record struct Piece(int Id, float Score, PieceKind Kind);

    /// <summary>A stretch of the word; neighbours are linked by place. A symbol merged into its left neighbour has no length.</summary>
    private record struct Symbol(int Start, int Length, int Left, int Right, bool IsFixed);

    /// <summary>Two neighbours that would make a piece of this length.</summary>
    private readonly record struct Pair(int Left, int Right, int Length);

    /// <param name="file">The model.</param>
    /// <param name="ids">The token id of each of its pieces.</param>
    /// <param name="prefixesAll">Whether text after an added token is given the space that the beginning of a text is.</param>
    public SentencePieceBpe(SentencePieceFile file, IReadOnlyList<int> ids, bool prefixesAll = true)
    {
        _normalizer = file.Normalizer();
        _laterNormalizer = file.Normalizer(prefixesAll ? null : false);
        _userDefined = file.UserDefined();
        _unknown = file.Unknown(ids);
        _hasBytes = file.FallsBackToBytes;
        _hasPrefix = file.AddsPrefix;
        _pieces = file.Pieces.Index().ToDictionary(
            entry => entry.Item.Text, entry => new Piece(ids[entry.Index], entry.Item.Score, entry.Item.Kind), StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
        _spellsByWord = SpaceMarks.KeepWordsApart(file.Pieces.Where(piece => IsText(piece.Kind)).Select(piece => piece.Text));
    }

    public string Normalize(string text) => _normalizer.Normalize(text);

    public string NormalizeLater(string text) => _laterNormalizer.Normalize(text);

    public bool StartsWord(string token) => token.StartsWith(SentencePieceFile.Space);

    public void Encode(ReadOnlySpan<char> text, int enough, List<int> ids)
    {
        var from = ids.Count;
        while (!text.IsEmpty && ids.Count < enough)
        {
            var length = _spellsByWord ? SpaceMarks.WordLength(text) : text.Length;
            AppendWord(text[..length], ids, from);
            text = text[length..];
        }
    }

    public void AppendText(IReadOnlyList<string> tokens, StringBuilder text) => SpaceMarks.AppendText(tokens, _hasBytes, _hasPrefix, text);

    public void AppendBytes(string token, bool isFirst, List<byte> bytes) => SpaceMarks.AppendBytes(token, _hasBytes, isFirst && _hasPrefix, bytes);

    private void AppendWord(ReadOnlySpan<char> word, List<int> ids, int from)
    {
        if (_cache.TryGet(word, out var known))
        {
            ids.AddRange(known);
            return;
        }
        var start = ids.Count;
        if (new Merger(this, word).Append(ids, from)) _cache.Add(word, [.. ids[start..]]);
    }

    private static bool IsText(PieceKind kind) => kind is PieceKind.Normal or PieceKind.UserDefined or PieceKind.Unused;

    /// <summary>Spells one word.</summary>
    private readonly ref struct Merger
    {
        private readonly SentencePieceBpe _model;
        private readonly ReadOnlySpan<char> _word;
        private readonly List<Symbol> _symbols = [];
        private readonly PriorityQueue<Pair, (float, int)> _pairs = new();
        private readonly Dictionary<string, int> _unusedCuts = new(StringComparer.Ordinal);     // where an unused piece was put together

        public Merger(SentencePieceBpe model, ReadOnlySpan<char> word)
        {
            _model = model;
            _word = word;
            for (var start = 0; start < word.Length; start += _symbols[^1].Length)
            {
                var whole = model._userDefined?.MatchLongest(word[start..]) ?? 0;
                var length = whole > 0 ? whole : Utf16.RuneAt(word, start).Utf16SequenceLength;
                _symbols.Add(new Symbol(start, length, _symbols.Count - 1, _symbols.Count + 1, IsFixed: whole > 0));
            }
            for (var right = 1; right < _symbols.Count; right++) Consider(right - 1, right);
            while (_pairs.TryDequeue(out var pair, out _)) Merge(pair);
        }

        /// <summary>Appends the ids; false when a character is unknown, whose ids depend on what stands before.</summary>
        public bool Append(List<int> ids, int from)
        {
            var isKnown = true;
            for (var index = 0; index < _symbols.Count; index = _symbols[index].Right)
                isKnown &= Append(TextOf(_symbols[index]), ids, from);
            return isKnown;
        }

        private bool Append(ReadOnlySpan<char> symbol, List<int> ids, int from)
        {
            if (!_model._pieces.TryGetValue(symbol, out var piece))
            {
                _model._unknown.Append(symbol, ids, from);
                return false;
            }
            if (piece.Kind == PieceKind.Unused && _unusedCuts.TryGetValue(symbol.ToString(), out var cut))
                return Append(symbol[..cut], ids, from) & Append(symbol[cut..], ids, from);
            ids.Add(piece.Id);
            return true;
        }

        private void Consider(int left, int right)
        {
            if (left < 0 || right >= _symbols.Count || _symbols[left].IsFixed || _symbols[right].IsFixed) return;
            var length = _symbols[left].Length + _symbols[right].Length;
            var text = _word.Slice(_symbols[left].Start, length);
            if (!_model._pieces.TryGetValue(text, out var piece) || !IsText(piece.Kind)) return;
            _pairs.Enqueue(new Pair(left, right, length), (-piece.Score, left));
            if (piece.Kind == PieceKind.Unused) _unusedCuts[text.ToString()] = _symbols[left].Length;
        }

        private void Merge(Pair pair)
        {
            var (left, right) = (_symbols[pair.Left], _symbols[pair.Right]);
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != pair.Length) return;     // one of them was merged since
            _symbols[pair.Left] = left with { Length = pair.Length, Right = right.Right };
            _symbols[pair.Right] = right with { Length = 0 };
            if (right.Right < _symbols.Count) _symbols[right.Right] = _symbols[right.Right] with { Left = pair.Left };
            Consider(left.Left, pair.Left);
            Consider(pair.Left, right.Right);
        }

        private ReadOnlySpan<char> TextOf(Symbol symbol) => _word.Slice(symbol.Start, symbol.Length);
    }
}

using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>A SentencePiece model file of kind unigram, with SentencePiece's own ids to the last rounding.</summary>
/// <remarks>
/// Ours because Microsoft.ML.Tokenizers 2.0.1's SentencePieceTokenizer gives other ids and takes hostile files as they come; the tests of this
/// class say where. Words are spelled one after another, each from the score of those before it, which gives what SentencePiece finds for the
/// whole text: no piece reaches over a word's end.
/// </remarks>
internal sealed class SentencePieceUnigram : ISubwordModel
{
    // A word met before has the same spelling again unless another one is so close that rounding decides, and rounding depends on the score
    // before it. A cached word has at most 32 pieces; below this score one addition errs by at most 2⁻¹⁰, two spellings together by 2⁻⁴.
    private const double CertainMargin = 1.0 / 8;
    private const double LargestCertainScore = 30_000;

    // SentencePiece looks for the largest score from C's FLT_MIN upwards, which is none of the negative numbers.
    private const float SmallestPositive = 1.17549435e-38f;

    private readonly SentencePieceNormalizer _normalizer;
    private readonly UnigramLattice _lattice;
    private readonly Dictionary<int, double> _scores;
    private readonly bool _spellsByWord;
    private readonly bool _hasBytes;
    private readonly bool _hasPrefix;
    private readonly PieceCache _cache = new();

    /// <param name="file">The model.</param>
    /// <param name="ids">The token id of each of its pieces.</param>
    public SentencePieceUnigram(SentencePieceFile file, IReadOnlyList<int> ids)
    {
        _normalizer = file.Normalizer();
        _hasBytes = file.FallsBackToBytes;
        _hasPrefix = file.AddsPrefix;
        var normal = file.Pieces.Where(piece => piece.Kind == PieceKind.Normal).Select(piece => piece.Score).DefaultIfEmpty(0).ToList();
        var highest = Math.Max(normal.Max(), SmallestPositive);
        var pieces = file.Pieces.Index().Where(entry => entry.Item.Kind is PieceKind.Normal or PieceKind.UserDefined)
            .Select(entry => new UnigramPiece(entry.Item.Text, ids[entry.Index], ScoreOf(entry.Item, highest))).ToArray();
        _scores = pieces.ToDictionary(piece => piece.Id, piece => piece.Score);
        _spellsByWord = SpaceMarks.KeepWordsApart(pieces.Select(piece => piece.Text));
        _lattice = new UnigramLattice(pieces, file.Unknown(ids), normal.Min(), isSinglePrecision: true);
    }

    public string Normalize(string text) => _normalizer.Normalize(text);

    public bool StartsWord(string token) => token.StartsWith(SentencePieceFile.Space);

    public void Encode(ReadOnlySpan<char> text, int enough, List<int> ids)
    {
        var from = ids.Count;
        var score = 0.0;
        while (!text.IsEmpty && ids.Count < enough)
        {
            var length = _spellsByWord ? SpaceMarks.WordLength(text) : text.Length;
            score = AppendWord(text[..length], score, ids, from);
            text = text[length..];
        }
    }

    public void AppendText(IReadOnlyList<string> tokens, StringBuilder text) => SpaceMarks.AppendText(tokens, _hasBytes, _hasPrefix, text);

    private double AppendWord(ReadOnlySpan<char> word, double score, List<int> ids, int from)
    {
        var isCertain = score > -LargestCertainScore;
        if (isCertain && _cache.TryGet(word, out var known))
        {
            ids.AddRange(known);
            foreach (var id in known) score = (float)(score + _scores[id]);
            return score;
        }
        var start = ids.Count;
        var spelling = _lattice.Append(word, score, ids, from);
        if (isCertain && !spelling.HasUnknown && spelling.Margin > CertainMargin) _cache.Add(word, [.. ids[start..]]);
        return spelling.Score;
    }

    /// <summary>SentencePiece gives a user-defined piece a score that wins against any spelling of the same text.</summary>
    private static double ScoreOf(SentencePiece piece, float highest) =>
        piece.Kind == PieceKind.UserDefined ? Encoding.UTF8.GetByteCount(piece.Text) * highest - 0.1 : piece.Score;
}

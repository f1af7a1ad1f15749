using System.Buffers;

namespace MLNetLoRA.Modeling;

/// <summary>One piece of a unigram model.</summary>
/// <param name="Text">What it spells; not empty.</param>
/// <param name="Id">Its token id.</param>
/// <param name="Score">Its log-probability.</param>
internal readonly record struct UnigramPiece(string Text, int Id, double Score);

/// <summary>The best spelling of a text.</summary>
/// <param name="Score">The sum of its pieces' scores and of the score it began with.</param>
/// <param name="Margin">How much worse every other spelling is, at least.</param>
/// <param name="HasUnknown">Whether a character in it has no piece.</param>
internal readonly record struct UnigramSpelling(double Score, double Margin, bool HasUnknown);

/// <summary>The unigram language model: of all ways to spell a text by pieces, the one whose scores have the largest sum (Viterbi).</summary>
/// <remarks>
/// Sums are rounded as the implementation does whose ids are to be met: SentencePiece keeps single precision, Hugging Face's library double.
/// Where two spellings are about equally good, that decides.
/// </remarks>
internal sealed class UnigramLattice
{
    /// <summary>What an unknown character costs more than the worst piece.</summary>
    private const float UnknownPenalty = 10;

    private const int StackNodes = 128;

    private readonly UnigramPiece[] _pieces;
    private readonly PieceTrie _trie;
    private readonly UnknownSpelling _unknown;
    private readonly double _unknownScore;
    private readonly bool _isSinglePrecision;

    public UnigramLattice(UnigramPiece[] pieces, UnknownSpelling unknown, double lowestScore, bool isSinglePrecision)
    {
        _pieces = pieces;
        _trie = new PieceTrie(pieces.Select(piece => piece.Text));
        _unknown = unknown;
        _isSinglePrecision = isSinglePrecision;
        _unknownScore = Round(lowestScore - UnknownPenalty);
    }

    /// <summary>A place between two characters: the best score up to it, the last piece's other end, that piece, its lead over the next best.</summary>
    private record struct Node(double Score, int Other, int Piece, double Margin);

    /// <summary>Appends the ids of a text's best spelling.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="before">The score of what stands before it.</param>
    /// <param name="ids">The ids before it; those from <paramref name="from"/> on are of the same text.</param>
    /// <param name="from">A place in <paramref name="ids"/>.</param>
    public UnigramSpelling Append(ReadOnlySpan<char> text, double before, List<int> ids, int from)
    {
        var rented = text.Length < StackNodes ? null : ArrayPool<Node>.Shared.Rent(text.Length + 1);
        var nodes = (rented ?? stackalloc Node[StackNodes])[..(text.Length + 1)];
        nodes.Fill(new Node(0, -1, PieceTrie.None, double.PositiveInfinity));
        nodes[0].Score = before;
        FindBest(text, nodes);
        var spelling = AppendBest(text, nodes, ids, from);
        if (rented is not null) ArrayPool<Node>.Shared.Return(rented);
        return spelling;
    }

    private void FindBest(ReadOnlySpan<char> text, Span<Node> nodes)
    {
        for (var start = 0; start < text.Length;)
        {
            var score = nodes[start].Score;
            var single = start + Utf16.RuneAt(text, start).Utf16SequenceLength;
            var isKnown = false;
            var state = PieceTrie.Root;
            for (var end = start + 1; end <= text.Length && (state = _trie.Next(state, text[end - 1])) != PieceTrie.None; end++)
            {
                if (_trie.PieceAt(state) is var piece and not PieceTrie.None)
                {
                    Offer(ref nodes[end], score + _pieces[piece].Score, start, piece);
                    isKnown |= end == single;
                }
            }
            if (!isKnown) Offer(ref nodes[single], Round(score + _unknownScore), start, PieceTrie.None);
            start = single;
        }
    }

    private void Offer(ref Node node, double score, int start, int piece)
    {
        if (node.Other < 0) node = new Node(Round(score), start, piece, double.PositiveInfinity);
        else if (score > node.Score) node = new Node(Round(score), start, piece, score - node.Score);
        else node.Margin = Math.Min(node.Margin, node.Score - score);
    }

    private UnigramSpelling AppendBest(ReadOnlySpan<char> text, Span<Node> nodes, List<int> ids, int from)
    {
        var margin = double.PositiveInfinity;
        var hasUnknown = false;
        var score = nodes[^1].Score;
        var node = nodes[^1];
        for (var end = text.Length; end > 0;)       // from the end, turning each link around
        {
            margin = Math.Min(margin, node.Margin);
            var (start, before) = (node.Other, nodes[node.Other]);
            nodes[start] = node with { Other = end };
            (end, node) = (start, before);
        }
        for (var start = 0; start < text.Length; start = node.Other)
        {
            node = nodes[start];
            if (node.Piece != PieceTrie.None)
            {
                ids.Add(_pieces[node.Piece].Id);
                continue;
            }
            hasUnknown = true;
            _unknown.Append(text[start..node.Other], ids, from);
        }
        return new UnigramSpelling(score, margin, hasUnknown);
    }

    private double Round(double score) => _isSinglePrecision ? (float)score : score;
}

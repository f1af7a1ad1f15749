namespace MLNetLoRA.Modeling;

/// <summary>The pieces of a vocabulary by their beginnings, so that one walk finds all that fit at one place of a text.</summary>
/// <remarks>States are numbered as they are made. Their edges share one open-addressing table: 250,000 pieces fit into 20 MB.</remarks>
internal sealed class PieceTrie
{
    /// <summary>The state before any character.</summary>
    public const int Root = 0;

    /// <summary>No state, and no piece.</summary>
    public const int None = -1;

    private const ulong Free = ulong.MaxValue;

    private readonly int[] _pieces;
    private Edge[] _edges = NewEdges(bits: 10);
    private int _shift = 64 - 10;

    private record struct Edge(ulong Key, int Target);

    /// <param name="pieces">None is empty. A piece's number is its place among them.</param>
    public PieceTrie(IEnumerable<string> pieces)
    {
        var pieceAt = new List<int> { None };
        foreach (var (number, piece) in pieces.Index())
        {
            var state = Root;
            foreach (var character in piece)
            {
                var next = Next(state, character);
                if (next == None)
                {
                    next = pieceAt.Count;
                    pieceAt.Add(None);
                    if (pieceAt.Count > _edges.Length / 2) Grow();
                    _edges[SlotOf(KeyOf(state, character))] = new Edge(KeyOf(state, character), next);
                }
                state = next;
            }
            pieceAt[state] = number;
        }
        _pieces = [.. pieceAt];
    }

    /// <summary>The state after one more character; <see cref="None"/> when no piece goes on so.</summary>
    public int Next(int state, char character)
    {
        ref readonly var edge = ref _edges[SlotOf(KeyOf(state, character))];
        return edge.Key == Free ? None : edge.Target;
    }

    /// <summary>The number of the piece that ends in a state, or <see cref="None"/>.</summary>
    public int PieceAt(int state) => _pieces[state];

    /// <summary>The length of the longest piece with which a text begins; 0 when there is none.</summary>
    public int MatchLongest(ReadOnlySpan<char> text)
    {
        var longest = 0;
        var state = Root;
        for (var length = 1; length <= text.Length && (state = Next(state, text[length - 1])) != None; length++)
            if (PieceAt(state) != None) longest = length;
        return longest;
    }

    private static ulong KeyOf(int state, char character) => ((ulong)(uint)state << 16) | character;

    /// <summary>Where a key is, or the free place where it belongs.</summary>
    private int SlotOf(ulong key)
    {
        var slot = (int)((key * 0x9E37_79B9_7F4A_7C15) >> _shift);      // Fibonacci hashing
        while (_edges[slot].Key != key && _edges[slot].Key != Free) slot = (slot + 1) & (_edges.Length - 1);
        return slot;
    }

    private void Grow()
    {
        var old = _edges;
        _shift--;
        _edges = NewEdges(64 - _shift);
        foreach (var edge in old)
            if (edge.Key != Free) _edges[SlotOf(edge.Key)] = edge;
    }

    private static Edge[] NewEdges(int bits)
    {
        var edges = new Edge[1 << bits];
        Array.Fill(edges, new Edge(Free, None));
        return edges;
    }
}

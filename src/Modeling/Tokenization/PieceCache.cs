using System.Collections.Concurrent;

namespace MLNetLoRA.Modeling;

/// <summary>The ids of words met before; text repeats itself, and a look-up is many times cheaper than merging. Bounded; thread-safe.</summary>
internal sealed class PieceCache
{
    // About 10 MB when full. What comes first stays: frequent words come first, and a cache that never evicts needs no lock.
    private const int MaxPieces = 65_536;
    private const int MaxPieceLength = 32;

    private readonly ConcurrentDictionary<string, int[]> _ids = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _count;

    public PieceCache() => _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    public bool TryGet(ReadOnlySpan<char> piece, out int[] ids)
    {
        ids = [];
        return piece.Length <= MaxPieceLength && _lookup.TryGetValue(piece, out ids!);
    }

    public void Add(ReadOnlySpan<char> piece, int[] ids)
    {
        if (piece.Length > MaxPieceLength || Volatile.Read(ref _count) >= MaxPieces) return;
        if (_lookup.TryAdd(piece, ids)) Interlocked.Increment(ref _count);
    }
}

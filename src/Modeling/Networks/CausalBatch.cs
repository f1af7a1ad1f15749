using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Token ids of several rows on one device, in which a token sees what stands before it in the same text.</summary>
/// <remarks>The caller disposes it. Made on the CPU from managed arrays, then moved in one piece.</remarks>
public sealed class CausalBatch : IDisposable
{
    /// <summary>A label that counts for nothing: Hugging Face's convention.</summary>
    public const long Ignored = -100;

    private const long Padding = 0;

    private CausalBatch(Tensor inputIds, Tensor positions, Tensor segments) => (InputIds, Positions, Segments) = (inputIds, positions, segments);

    /// <summary>Token ids, (batch, tokens), int64.</summary>
    public Tensor InputIds { get; }

    /// <summary>Which text of its row a token belongs to, (batch, tokens), int64: 0 is padding, texts count from 1.</summary>
    /// <remarks>Tokens see their own text only, so padding on either side and texts packed into one row need no other mask.</remarks>
    public Tensor Segments { get; }

    /// <summary>Where a token stands in its text, from 0, (batch, tokens), int64.</summary>
    public Tensor Positions { get; }

    /// <summary>How many rows.</summary>
    public long RowCount => InputIds.shape[0];

    /// <summary>How many tokens the longest row has.</summary>
    public long TokenCount => InputIds.shape[1];

    /// <summary>Pads rows of one text each to the longest of them.</summary>
    /// <param name="rows">One or more rows, each with at least one token.</param>
    /// <param name="config">Gives the vocabulary and the padding token.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <param name="padsLeft">Whether padding stands before the text, so that all rows end together: for generation.</param>
    /// <exception cref="ArgumentException">There is no row, an empty one, or an id that is no row of the embedding.</exception>
    public static CausalBatch Create(IReadOnlyList<IReadOnlyList<int>> rows, DecoderConfig config, Device device, bool padsLeft = false)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(config);
        if (rows.Count == 0 || rows.Any(row => row.Count == 0)) throw new ArgumentException("A batch needs at least one row, and a row at least one token.", nameof(rows));
        var tokens = rows.Max(row => row.Count);
        var ids = new long[rows.Count * tokens];
        var segments = new long[ids.Length];
        Array.Fill(ids, config.PadTokenId ?? 0);
        foreach (var (r, row) in rows.Index())
        {
            var start = r * tokens + (padsLeft ? tokens - row.Count : 0);
            for (var t = 0; t < row.Count; t++) (ids[start + t], segments[start + t]) = (row[t], 1);
        }
        return FromSegments(ids, segments, rows.Count, config, device);
    }

    /// <summary>Wraps ids that are already padded, on whichever side.</summary>
    /// <param name="ids">rows × tokens ids, row by row.</param>
    /// <param name="attended">Same length: true for a token, false for padding.</param>
    /// <param name="rowCount">How many rows the arrays hold, 1 or more.</param>
    /// <param name="config">Gives the vocabulary.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <exception cref="ArgumentException">The arrays do not fit together, or an id is no row of the embedding.</exception>
    public static CausalBatch FromArrays(long[] ids, bool[] attended, int rowCount, DecoderConfig config, Device device)
    {
        ArgumentNullException.ThrowIfNull(attended);
        return FromSegments(ids, Array.ConvertAll(attended, isToken => isToken ? 1L : Padding), rowCount, config, device);
    }

    /// <summary>Wraps rows of several texts.</summary>
    /// <param name="ids">rows × tokens ids, row by row.</param>
    /// <param name="segments">Same length: 0 for padding, 1 for the row's first text, and so on.</param>
    /// <param name="rowCount">How many rows the arrays hold, 1 or more.</param>
    /// <param name="config">Gives the vocabulary.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <exception cref="ArgumentException">The arrays do not fit together, or an id is no row of the embedding.</exception>
    public static CausalBatch FromSegments(long[] ids, long[] segments, int rowCount, DecoderConfig config, Device device)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(segments);
        ArgumentNullException.ThrowIfNull(config);
        if (rowCount < 1 || ids.Length == 0 || ids.Length % rowCount != 0 || segments.Length != ids.Length)
            throw new ArgumentException($"{ids.Length} ids and {segments.Length} segments do not make {rowCount} rows of equal length.", nameof(ids));
        if (Array.FindIndex(ids, id => id < 0 || id >= config.VocabularySize) is >= 0 and var place)
            throw new ArgumentException($"Token id {ids[place]} is no row of the embedding; ids are 0 to {config.VocabularySize - 1}.", nameof(ids));
        return Make(ids, PositionsOf(segments, ids.Length / rowCount), segments, rowCount, device);
    }

    /// <summary>A stretch of one text, which begins at a position.</summary>
    internal static CausalBatch FromTokens(IReadOnlyList<int> ids, int start, Device device) => Make(
        [.. ids.Select(id => (long)id)], [.. ids.Select((_, place) => (long)start + place)], [.. ids.Select(_ => 1L)], 1, device);

    /// <summary>One more token a row, each of the row's only text.</summary>
    internal static CausalBatch Next(long[] ids, long[] positions, Device device) => Make(ids, positions, [.. ids.Select(_ => 1L)], ids.Length, device);

    /// <summary>What each token is wanted to be, (batch, tokens), int64; the caller owns it.</summary>
    /// <remarks>Itself; <see cref="Ignored"/> for padding and for the first token of a text, which nothing before it can tell.</remarks>
    public Tensor Labels()
    {
        using var scope = NewDisposeScope();
        var before = nn.functional.pad(Segments.narrow(1, 0, TokenCount - 1), [1, 0], value: Padding);
        var counts = Segments.ne(Padding) & Segments.eq(before);
        return InputIds.masked_fill(counts.logical_not(), Ignored).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        InputIds.Dispose();
        Positions.Dispose();
        Segments.Dispose();
    }

    private static CausalBatch Make(long[] ids, long[] positions, long[] segments, int rowCount, Device device)
    {
        long[] shape = [rowCount, ids.Length / rowCount];
        return new CausalBatch(
            tensor(ids, shape, dtype: int64, device: device), tensor(positions, shape, dtype: int64, device: device),
            tensor(segments, shape, dtype: int64, device: device));
    }

    private static long[] PositionsOf(long[] segments, int tokens)
    {
        var positions = new long[segments.Length];
        var seen = new Dictionary<long, long>();
        for (var place = 0; place < segments.Length; place++)
        {
            if (place % tokens == 0) seen.Clear();
            if (segments[place] == Padding) continue;
            positions[place] = seen.GetValueOrDefault(segments[place]);
            seen[segments[place]] = positions[place] + 1;
        }
        return positions;
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Token ids of several rows on one device, padded to the longest of them.</summary>
/// <remarks>The caller disposes it. Made on the CPU from managed arrays, then moved in one piece.</remarks>
public sealed class TokenBatch : IDisposable
{
    private TokenBatch(Tensor inputIds, Tensor positions, Tensor attended, Tensor tokenTypes) =>
        (InputIds, Positions, Attended, TokenTypes) = (inputIds, positions, attended, tokenTypes);

    /// <summary>Whether a token attends only to itself and to what stands before it, as in next-token prediction.</summary>
    /// <value>Default false: every token attends to every other.</value>
    public bool IsCausal { get; init; }

    /// <summary>Token ids, (batch, tokens), int64.</summary>
    public Tensor InputIds { get; }

    /// <summary>Position ids, (batch, tokens), int64: what the family's checkpoints were trained with.</summary>
    public Tensor Positions { get; }

    /// <summary>True where a token may be attended to, (batch, tokens), bool.</summary>
    public Tensor Attended { get; }

    /// <summary>0 in the first sentence, 1 in the second, (batch, tokens), int64.</summary>
    public Tensor TokenTypes { get; }

    /// <summary>How many rows.</summary>
    public long RowCount => InputIds.shape[0];

    /// <summary>How many tokens the longest row has.</summary>
    public long TokenCount => InputIds.shape[1];

    /// <summary>Pads encoded rows to the longest of them.</summary>
    /// <param name="rows">One or more rows, each with at least one token.</param>
    /// <param name="config">Gives the padding token and the family's way to count positions.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <param name="isCausal">Whether tokens see only what stands before them.</param>
    public static TokenBatch Create(IReadOnlyList<EncodedText> rows, EncoderConfig config, Device device, bool isCausal = false)
    {
        var tokens = rows.Max(row => row.Ids.Length);
        var ids = new long[rows.Count * tokens];
        var types = new long[ids.Length];
        var attended = new bool[ids.Length];
        Array.Fill(ids, config.PadTokenId);
        for (var r = 0; r < rows.Count; r++)
        {
            for (var t = 0; t < rows[r].Ids.Length; t++)
            {
                ids[r * tokens + t] = rows[r].Ids[t];
                types[r * tokens + t] = rows[r].TypeIds?[t] ?? 0;
                attended[r * tokens + t] = true;
            }
        }
        return FromArrays(ids, attended, types, rows.Count, config, device, isCausal);
    }

    /// <summary>Wraps ids that are already padded.</summary>
    /// <param name="ids">rows × tokens ids, row by row.</param>
    /// <param name="attended">Same length: true where attended to.</param>
    /// <param name="types">Same length: 0 or 1; null means all 0.</param>
    /// <param name="rowCount">How many rows the arrays hold.</param>
    /// <param name="config">Gives the padding token and the family's way to count positions.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <param name="isCausal">Whether tokens see only what stands before them.</param>
    public static TokenBatch FromArrays(
        long[] ids, bool[] attended, long[]? types, int rowCount, EncoderConfig config, Device device, bool isCausal = false)
    {
        var tokens = ids.Length / rowCount;
        long[] shape = [rowCount, tokens];
        return new TokenBatch(
            tensor(ids, shape, dtype: int64, device: device),
            tensor(PositionsOf(ids, tokens, config), shape, dtype: int64, device: device),
            tensor(attended, shape, dtype: @bool, device: device),
            tensor(types ?? new long[ids.Length], shape, dtype: int64, device: device))
        {
            IsCausal = isCausal,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        InputIds.Dispose();
        Positions.Dispose();
        Attended.Dispose();
        TokenTypes.Dispose();
    }

    // Most families count from 0. RoBERTa's counts the tokens that are not padding, from pad + 1; padding itself stays at pad.
    private static long[] PositionsOf(long[] ids, int tokens, EncoderConfig config)
    {
        var positions = new long[ids.Length];
        var (fromPadding, pad) = (config.Layout.CountsPositionsFromPadding, config.PadTokenId);
        for (var start = 0; start < ids.Length; start += tokens)
        {
            long seen = 0;
            for (var t = 0; t < tokens; t++)
            {
                positions[start + t] = !fromPadding ? t : ids[start + t] == pad ? pad : pad + ++seen;
            }
        }
        return positions;
    }
}

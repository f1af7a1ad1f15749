using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Some texts in the making, token by token, padded on the left so that all grow at the same place.</summary>
/// <remarks>Any thread may take a step, one at a time.</remarks>
internal sealed class GenerationRun(DecoderNetwork network, IReadOnlyList<GenerationRow> rows, bool usesCache) : IDisposable
{
    private readonly KeyValueCache? _cache = usesCache
        ? network.NewCache(rows.Count, rows.Max(row => row.Ids.Count) + rows.Max(row => row.MostTokens - row.Ids.Count))
        : null;

    /// <summary>Whether all texts have ended.</summary>
    public bool IsDone => rows.All(row => row.End is not null);

    /// <summary>Adds a token to each text that has not ended; the text that is certain with it, row by row.</summary>
    public IReadOnlyList<string> Step()
    {
        using var batch = NextBatch();
        using var scope = NewDisposeScope();
        var logits = network.ForwardLast(batch, _cache).to(float32, CPU).data<float>().ToArray();     // (rows, vocabulary)
        var width = network.Config.VocabularySize;
        return [.. rows.Select((row, r) => row.Add(logits.AsSpan(r * width, width)))];
    }

    public void Dispose() => _cache?.Dispose();

    // A text that has ended stays in its row: its last token is read again and again, and nobody asks what follows.
    private CausalBatch NextBatch() => _cache is null or { Length: 0 }
        ? CausalBatch.Create([.. rows.Select(row => row.Ids)], network.Config, network.Device, padsLeft: true)
        : CausalBatch.Next([.. rows.Select(row => (long)row.Ids[^1])], [.. rows.Select(row => row.Ids.Count - 1L)], network.Device);
}

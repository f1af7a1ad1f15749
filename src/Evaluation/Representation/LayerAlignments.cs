using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>The alignment of two trunks in each layer, over any number of batches. Owns its sums.</summary>
/// <param name="before">The first trunk.</param>
/// <param name="after">The second, of the same architecture and on the same device.</param>
/// <param name="states">Which hidden states are compared.</param>
internal sealed class LayerAlignments(FrozenTrunk before, FrozenTrunk after, ComparedStates states) : IDisposable
{
    private readonly LinearCka[] _layers = [.. Enumerable.Range(0, before.Base.Config.LayerCount + 1).Select(_ => new LinearCka())];

    /// <summary>Hidden states compared so far.</summary>
    public long Examples => _layers[0].Count;

    /// <summary>Reads texts with both trunks.</summary>
    public void Add(IReadOnlyList<EncodedText> rows)
    {
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(rows, before.Base.Config, before.Device);
        var places = Places(rows, batch.TokenCount);
        if (places.Length == 0) return;
        var chosen = tensor(places, dtype: int64, device: before.Device);
        var (first, second) = (before.HiddenStates(batch), after.HiddenStates(batch));
        foreach (var (layer, sums) in _layers.Index())
            sums.Add(first[layer].flatten(0, 1).index_select(0, chosen), second[layer].flatten(0, 1).index_select(0, chosen));
    }

    /// <summary>The alignments, before the first layer and after each.</summary>
    public IReadOnlyList<double> Values() => [.. _layers.Select(layer => layer.Value())];

    public void Dispose()
    {
        foreach (var layer in _layers) layer.Dispose();
    }

    private long[] Places(IReadOnlyList<EncodedText> rows, long longest)
    {
        if (states is ComparedStates.FirstToken) return [.. rows.Select((_, row) => row * longest)];
        var tokenizer = before.Base.Tokenizer;
        return [.. rows.SelectMany((text, row) => text.Ids.Index().Where(token => !tokenizer.IsSpecial(token.Item)).Select(token => (row * longest) + token.Index))];
    }
}

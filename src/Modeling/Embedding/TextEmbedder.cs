using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A pretrained encoder, ready to turn texts into vectors and to say how well it foretells them.</summary>
/// <remarks>Thread-safe. Holds a share in the model's weights until it is disposed.</remarks>
public sealed class TextEmbedder : IDisposable
{
    private readonly SharedWeights _weights;
    private readonly MaskedLanguageModel _network;
    private readonly Device _device;

    /// <summary>Builds the network.</summary>
    /// <param name="model">Weights with their language-model head.</param>
    /// <param name="device">Where it computes.</param>
    /// <exception cref="InvalidDataException">A parameter is missing, the language-model head for example.</exception>
    public TextEmbedder(PretrainedModel model, Device device)
    {
        ArgumentNullException.ThrowIfNull(model);
        (Model, _device) = (model, device);
        _weights = SharedWeights.Acquire(model, device);
        try
        {
            var source = new ParameterSource(_weights.Tensors, device, isTrainable: _ => false, generator: null);
            _network = new MaskedLanguageModel(new NetworkContext(model.Config, new PlainProjections(), Dropout: null), source);
            _network.eval();
            model.ShareWeightsOn(device);
        }
        catch
        {
            _network?.Dispose();
            _weights.Dispose();
            throw;
        }
    }

    /// <summary>The model.</summary>
    public PretrainedModel Model { get; }

    /// <summary>The mean of each row's last hidden states, special tokens included.</summary>
    /// <param name="rows">One or more encoded rows.</param>
    /// <returns>rows × hidden numbers, row by row.</returns>
    public float[] Embed(IReadOnlyList<EncodedText> rows)
    {
        using var _ = inference_mode();
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(rows, Model.Config, _device);
        var attended = batch.Attended.unsqueeze(-1);                                                       // (rows, tokens, 1)
        var summed = _network.Encode(batch).masked_fill(attended.logical_not(), 0).sum(1L);                // (rows, hidden)
        return summed.div_(attended.sum(1L)).cpu().data<float>().ToArray();
    }

    /// <summary>The mean loss of each row's tokens, in nats, each hidden once and guessed from the others that are not hidden with it.</summary>
    /// <remarks>
    /// Every n-th token is hidden in one pass and its neighbour in the next, so n passes guess every token once; the original (arXiv 1910.14659)
    /// hides one token a pass. Nothing is drawn: the same row always has the same loss.
    /// </remarks>
    /// <param name="rows">One or more encoded rows.</param>
    /// <param name="passes">How many passes, 2 or more: one token in so many is hidden at a time.</param>
    /// <returns>One number a row; not a number where a row has no tokens but special ones.</returns>
    public float[] MeanLosses(IReadOnlyList<EncodedText> rows, int passes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(passes, 2);
        using var _ = inference_mode();
        var summed = new double[rows.Count];
        var counts = new int[rows.Count];
        for (var pass = 0; pass < passes; pass++) AddLosses(rows, pass, passes, summed, counts);
        return [.. summed.Zip(counts, (loss, count) => (float)(loss / count))];
    }

    private void AddLosses(IReadOnlyList<EncodedText> rows, int pass, int passes, double[] summed, int[] counts)
    {
        var tokenizer = Model.Tokenizer;
        var longest = rows.Max(row => row.Ids.Length);
        var hidden = new EncodedText[rows.Count];
        var positions = new List<long>();
        var labels = new List<long>();
        for (var r = 0; r < rows.Count; r++)
        {
            var ids = (int[])rows[r].Ids.Clone();
            var place = 0;
            for (var t = 0; t < ids.Length; t++)
            {
                if (tokenizer.IsSpecial(ids[t]) || place++ % passes != pass) continue;
                positions.Add((long)r * longest + t);
                labels.Add(ids[t]);
                ids[t] = tokenizer.MaskId;
            }
            hidden[r] = rows[r] with { Ids = ids };
        }
        if (positions.Count == 0) return;

        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(hidden, Model.Config, _device);
        var logits = _network.ForwardAt(batch, tensor(positions.ToArray(), dtype: int64, device: _device));     // (hidden tokens, vocabulary)
        var losses = nn.functional.cross_entropy(logits, tensor(labels.ToArray(), dtype: int64, device: _device), reduction: nn.Reduction.None);
        foreach (var (position, loss) in positions.Zip(losses.cpu().data<float>()))
        {
            summed[position / longest] += loss;
            counts[position / longest]++;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _weights.Dispose();
    }
}

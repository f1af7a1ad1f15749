using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>An encoder that only reads: the hidden states of a pretrained or fine-tuned model, layer by layer, without any head.</summary>
/// <remarks>
/// Every state of a model comes in this form, so that one code compares them: the base, a fine-tuned classifier, one whose weights were
/// rescaled. Thread-safe until disposed.
/// </remarks>
public sealed class FrozenTrunk : IDisposable
{
    private readonly Encoder _encoder;
    private readonly IDisposable[] _owned;

    private FrozenTrunk(PretrainedModel model, Encoder encoder, Device device, params IDisposable[] owned) =>
        (Base, _encoder, Device, _owned) = (model, encoder, device, owned);

    /// <summary>The pretrained model: the state itself, or what it was fine-tuned from.</summary>
    public PretrainedModel Base { get; }

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>A pretrained model's encoder, on weights that are shared with everything else on that model and device.</summary>
    /// <param name="model">The model.</param>
    /// <param name="device">Where to compute.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">The model has no weights, or they are not at hand.</exception>
    /// <exception cref="InvalidDataException">The weights cannot be read, have changed, or do not hold the encoder.</exception>
    public static FrozenTrunk Of(PretrainedModel model, Device device)
    {
        ArgumentNullException.ThrowIfNull(model);
        var shared = SharedWeights.Acquire(model, device);
        try
        {
            if (shared.Tensors.Count == 0)
                throw new InvalidOperationException($"'{model.Name}' has no pretrained weights, so no hidden states to speak of; give a checkpoint.");
            var source = new ParameterSource(shared.Tensors, device, isTrainable: _ => false, generator: null);
            var encoder = new Encoder(new NetworkContext(model.Config, new PlainProjections(), Dropout: null), source.Under(model.Config.CheckpointPrefix));
            encoder.eval();
            return new FrozenTrunk(model, encoder, device, encoder, shared);
        }
        catch
        {
            shared.Dispose();
            throw;
        }
    }

    /// <summary>A fine-tuned classifier's encoder, adapter and corrections included.</summary>
    /// <param name="classifier">Stays the caller's and must live as long as this.</param>
    public static FrozenTrunk Of(TextClassifier classifier)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        return new FrozenTrunk(classifier.Description.Base, classifier.Encoder, classifier.Device);
    }

    /// <summary>The last hidden state of each row's first token: what a classification head reads.</summary>
    /// <param name="rows">Any number of encoded rows.</param>
    /// <param name="batchSize">Rows in one pass, 1 or more; rows of like length go together.</param>
    /// <param name="checkCancelled">Called before each pass.</param>
    /// <returns>rows × hidden numbers, row by row in the order given.</returns>
    public float[] FirstTokens(IReadOnlyList<EncodedText> rows, int batchSize, Action checkCancelled)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        var width = Base.Config.HiddenSize;
        var vectors = new float[(long)rows.Count * width];
        foreach (var chosen in Enumerable.Range(0, rows.Count).OrderBy(row => rows[row].Ids.Length).Chunk(batchSize))
        {
            checkCancelled();
            using var _ = inference_mode();
            using var scope = NewDisposeScope();
            using var batch = TokenBatch.Create([.. chosen.Select(row => rows[row])], Base.Config, Device);
            var first = _encoder.forward(batch).select(1, 0).cpu().contiguous().data<float>().ToArray();      // (rows, hidden)
            foreach (var (place, row) in chosen.Index()) first.AsSpan(place * width, width).CopyTo(vectors.AsSpan(row * width));
        }
        return vectors;
    }

    /// <summary>The hidden state before the first layer and after each of them.</summary>
    /// <param name="batch">Tokens on <see cref="Device"/>.</param>
    /// <returns>layers + 1 tensors (batch, tokens, hidden); the caller owns them. Values at padding are meaningless.</returns>
    public IReadOnlyList<Tensor> HiddenStates(TokenBatch batch)
    {
        using var _ = inference_mode();
        return _encoder.ForwardAllLayers(batch);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in _owned) part.Dispose();
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A fine-tuned classifier, ready to score: the network, the weights that fine-tuning made, and the base it started from.</summary>
/// <remarks>
/// Scoring is thread-safe. Owns its network and tuned tensors; a LoRA classifier also holds a share in the base's weights, so that many of
/// them in one process need one base, and every classifier holds on to weights of its base that came out of a model file. Disposing frees
/// all of it that nobody else holds.
/// </remarks>
public sealed class TextClassifier : IDisposable
{
    private readonly SharedWeights? _base;
    private readonly SequenceClassifier _network;
    private readonly Device _device;
    private readonly IDisposable? _baseHold;

    /// <summary>Builds the scoring network.</summary>
    /// <param name="description">What was fine-tuned, and how.</param>
    /// <param name="tuned">What fine-tuning made, by checkpoint key; this object takes ownership.</param>
    /// <param name="device">Where it scores.</param>
    /// <exception cref="InvalidDataException">A parameter is missing or has another shape than the network needs; the caller keeps ownership.</exception>
    public TextClassifier(ClassifierDescription description, IReadOnlyDictionary<string, Tensor> tuned, Device device)
    {
        (Description, Tuned, _device) = (description, tuned, device);
        _baseHold = description.Base.HoldWeights();         // to be saved with them, a fully tuned one too
        try
        {
            // Fully tuned weights stand alone; an adapter needs the base underneath.
            _base = description.Lora is null ? null : SharedWeights.Acquire(description.Base, device);
            var config = description.Base.Config;
            // The base's own classification head is another's: this classifier's comes with what was tuned, or is missing.
            var weights = new Dictionary<string, Tensor>(
                _base is null ? new Dictionary<string, Tensor>() : SequenceClassifier.StartingWeights(_base.Tensors, config, rows: null));
            OverridingKeys = [.. tuned.Keys.Where(key => weights.ContainsKey(key) && !SequenceClassifier.IsHeadKey(key, config)).Order(StringComparer.Ordinal)];
            foreach (var (key, tensor) in tuned) weights[key] = tensor;
            var source = new ParameterSource(weights, device, isTrainable: _ => false, generator: null);
            _network = new SequenceClassifier(description.ScoringContext, source, description.ClassCount);
            _network.eval();
            UnusedKeys = [.. tuned.Keys.Except(source.Taken).Order(StringComparer.Ordinal)];
            if (_base is not null) description.Base.ShareWeightsOn(device);
        }
        catch
        {
            _network?.Dispose();
            _base?.Dispose();
            _baseHold?.Dispose();
            throw;
        }
    }

    /// <summary>What was fine-tuned, and how.</summary>
    public ClassifierDescription Description { get; }

    /// <summary>
    /// What fine-tuning made, by checkpoint key: adapter and head for LoRA, encoder and head for full fine-tuning. Owned by this object.
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> Tuned { get; }

    /// <summary>Keys of <see cref="Tuned"/> that no part of the network takes, sorted; none in what a fit made.</summary>
    public IReadOnlyList<string> UnusedKeys { get; }

    /// <summary>Keys of <see cref="Tuned"/> that stand in place of frozen ones of the base beneath an adapter, sorted; none in what a fit made.</summary>
    public IReadOnlyList<string> OverridingKeys { get; }

    /// <summary>Logits of several rows, computed in one pass.</summary>
    /// <param name="rows">One or more encoded rows.</param>
    /// <returns>rows × classes numbers, row by row.</returns>
    public float[] Score(IReadOnlyList<EncodedText> rows)
    {
        using var _ = inference_mode();
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(rows, Description.Base.Config, _device);
        return _network.forward(batch).cpu().data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        foreach (var tensor in Tuned.Values) tensor.Dispose();
        _base?.Dispose();
        _baseHold?.Dispose();
    }
}

/// <summary>What a classifier was made from.</summary>
/// <param name="Base">The pretrained model that fine-tuning started from.</param>
/// <param name="Lora">The adapter's shape; null after full fine-tuning.</param>
/// <param name="ClassCount">Two or more.</param>
/// <param name="MaxTokens">Longer rows are cut to this many tokens.</param>
public sealed record ClassifierDescription(PretrainedModel Base, LoraOptions? Lora, int ClassCount, int MaxTokens)
{
    /// <summary>Fills the encoder's linear slots as this classifier needs them.</summary>
    public IProjectionFactory Projections => Lora is null ? new PlainProjections() : new LoraProjections(Lora);

    internal NetworkContext ScoringContext => new(Base.Config, Projections, Dropout: null);
}

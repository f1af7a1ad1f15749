using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A base's masked language model with its encoder as it is at one time: before fine-tuning, after it, or repaired.</summary>
/// <remarks>
/// The language-model head is always the base's, since fine-tuning for a task trains none. Where the decoder is tied to the word embedding and
/// fine-tuning moved that, there are two readings: with the base's embedding as decoder, and with the tuned one. Thread-safe to use. Owns its
/// tensors and a share in the base's weights; dispose it.
/// </remarks>
public sealed class LanguageModelState : IDisposable
{
    private readonly SharedWeights _base;
    private readonly Dictionary<string, Tensor> _tuned;
    private readonly Dictionary<string, LoraFactors> _factors;
    private readonly MaskedLanguageModel _network;
    private readonly MaskedLanguageModel? _retied;

    // Takes over the tensors, also when this throws.
    private LanguageModelState(PretrainedModel model, Device device, Dictionary<string, Tensor> tuned, Dictionary<string, LoraFactors> factors)
    {
        (Base, Device, _tuned, _factors) = (model, device, tuned, factors);
        try
        {
            if (ModelFaults.OfLanguageModel(model) is { } fault) throw new InvalidDataException(fault);
            // Of a base that is known by name only this says where to get it, even while another holds its weights.
            if (!model.HasWeights) model.OpenWeights().Dispose();
            _base = SharedWeights.Acquire(model, device);
            var (words, decoder) = ($"{model.Config.CheckpointPrefix}.embeddings.word_embeddings.weight", model.Config.Layout.LanguageModel.Decoder);
            var hasMovedDecoder = model.Config.TieWordEmbeddings && tuned.TryGetValue(words, out var moved) && Differ(moved, _base.Tensors[words]);
            _network = hasMovedDecoder
                ? Build(model.Config with { TieWordEmbeddings = false }, new Dictionary<string, Tensor> { [decoder] = _base.Tensors[words] })
                : Build(model.Config, new Dictionary<string, Tensor>());
            if (hasMovedDecoder) _retied = Build(model.Config, new Dictionary<string, Tensor>());
            model.ShareWeightsOn(device);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The base: its head reads every state.</summary>
    public PretrainedModel Base { get; }

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>Whether there is a second reading: the decoder is tied to a word embedding that fine-tuning moved.</summary>
    public bool HasRetiedDecoder => _retied is not null;

    /// <summary>The base itself.</summary>
    /// <param name="model">A checkpoint with its masked-language-model head.</param>
    /// <param name="device">Where it computes.</param>
    /// <exception cref="InvalidDataException">There is no such head, or the weights cannot be read or have changed; the message says what to do.</exception>
    public static LanguageModelState OfBase(PretrainedModel model, Device device)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(device);
        return new LanguageModelState(model, device, [], []);
    }

    /// <summary>The base with the encoder of a fine-tuned classifier, corrections included.</summary>
    /// <param name="classifier">Fine-tuned by LoRA or in full; may be disposed afterwards.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="baseModel">The base, for a classifier that was saved without it; null where it is at hand.</param>
    /// <exception cref="ArgumentException"><paramref name="baseModel"/> is another model than the classifier's base.</exception>
    /// <exception cref="InvalidOperationException">The classifier was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">As for <see cref="OfBase"/>.</exception>
    public static LanguageModelState OfClassifier(TextClassifier classifier, Device device, PretrainedModel? baseModel = null)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        ArgumentNullException.ThrowIfNull(device);
        var model = ClassifierChanges.ChooseBase(classifier, baseModel);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var tuned = EncoderOf(classifier.Tuned, model.Config, device);
        var factors = new Dictionary<string, LoraFactors>();
        foreach (var (name, _) in SequenceClassifier.Matrices(model.Config))
            if (classifier.FactorsOf(name) is var (change, correction))
                factors.Add(name, correction is null ? change.Shared(device) : Sum(change, correction, device));
        return new LanguageModelState(model, device, tuned, factors);
    }

    /// <summary>The base with the encoder of another checkpoint of the same model.</summary>
    /// <param name="model">The base.</param>
    /// <param name="tunedPath">A checkpoint folder, whose configuration and tokenizer, where it has them, must be the base's; or a .safetensors file. Heads in it are not read.</param>
    /// <param name="device">Where it computes.</param>
    /// <exception cref="DirectoryNotFoundException">There is nothing at the path.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, the two do not share shapes, settings or tokenizer, or as for <see cref="OfBase"/>.</exception>
    public static LanguageModelState OfCheckpoint(PretrainedModel model, string tunedPath, Device device)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(tunedPath);
        ArgumentNullException.ThrowIfNull(device);
        using var checkpoint = new CheckpointWeights(Checkpoint.Open(tunedPath), model.Config);
        SameModel.Check(model, tunedPath, checkpoint.Entries);
        using var scope = NewDisposeScope();
        var tuned = SameModel.EncoderShapes(model.Config).Keys.ToDictionary(
            key => key, key => checkpoint.Read(key, ScalarType.Float32, device).DetachFromDisposeScope());
        return new LanguageModelState(model, device, tuned, []);
    }

    /// <summary>The base with an adapter beside its encoder.</summary>
    /// <param name="model">The base.</param>
    /// <param name="adapterFolder">PEFT's files. A classification head in it is not read.</param>
    /// <param name="device">Where it computes.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, the adapter is of a kind not supported or of another base, or as for <see cref="OfBase"/>.</exception>
    public static LanguageModelState OfAdapter(PretrainedModel model, string adapterFolder, Device device)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(device);
        using var adapter = PeftFolder.Read(adapterFolder, model.Config, device);
        SameModel.Check(model, adapterFolder, adapter);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var tuned = EncoderOf(adapter.FullyTrained, model.Config, device);
        return new LanguageModelState(model, device, tuned, adapter.Factors.ToDictionary(pair => pair.Key, pair => pair.Value.Shared(device)));
    }

    /// <summary>This state with further low-rank corrections beside its matrices: W + scale · B A.</summary>
    /// <param name="corrections">By checkpoint key of the matrix without ".weight"; they stay the caller's.</param>
    /// <returns>Shares this state's weights, which live until both are disposed. The caller disposes it.</returns>
    public LanguageModelState WithCorrections(IReadOnlyDictionary<string, LoraFactors> corrections)
    {
        ArgumentNullException.ThrowIfNull(corrections);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var tuned = _tuned.ToDictionary(weight => weight.Key, weight => Shared(weight.Value, Device));
        var factors = _factors.Keys.Union(corrections.Keys).ToDictionary(name => name, name =>
            !corrections.TryGetValue(name, out var added) ? _factors[name].Shared(Device)
            : _factors.TryGetValue(name, out var own) ? Sum(own, added, Device)
            : added.Shared(Device));
        return new LanguageModelState(Base, Device, tuned, factors);
    }

    /// <summary>What lies between the base's matrices and this state's.</summary>
    /// <returns>Shares this state's tensors, which must live as long. The caller disposes it.</returns>
    public IWeightChanges OpenChanges() => new StateChanges(Base.Config, _base.Tensors, _tuned, _factors);

    /// <summary>Losses of hidden tokens, in nats: the negative logarithm of the probability that the model gives to what stood there.</summary>
    /// <param name="hiddenRows">Encoded rows in which the tokens are hidden.</param>
    /// <param name="positions">Flat indices row · tokens + token, where rows are padded to the longest.</param>
    /// <param name="labels">What stood there, one a position.</param>
    /// <returns>One loss a position, with the base's decoder; and with the retied one where there is such a reading.</returns>
    internal (float[] Losses, float[]? Retied) LossesAt(IReadOnlyList<EncodedText> hiddenRows, long[] positions, long[] labels)
    {
        using var _ = inference_mode();
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(hiddenRows, Base.Config, Device);
        var at = tensor(positions, dtype: int64, device: Device);
        var wanted = tensor(labels, dtype: int64, device: Device);
        // Only the hidden tokens' rows go through the head: it is by far the most expensive part of a small model.
        var hidden = _network.Encode(batch).flatten(0, 1).index_select(0, at);                       // (positions, hidden)
        return (Losses(_network), _retied is null ? null : Losses(_retied));

        float[] Losses(MaskedLanguageModel network) =>
            nn.functional.cross_entropy(network.Decode(hidden), wanted, reduction: nn.Reduction.None).cpu().data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network?.Dispose();
        _retied?.Dispose();
        foreach (var tensor in _tuned.Values) tensor.Dispose();
        foreach (var factors in _factors.Values) factors.Dispose();
        _base?.Dispose();
    }

    private MaskedLanguageModel Build(EncoderConfig config, Dictionary<string, Tensor> decoder)
    {
        var weights = new Dictionary<string, Tensor>(_base.Tensors);
        var projections = new CorrectedProjections(new PlainProjections(), _factors);
        foreach (var (key, tensor) in _tuned.Concat(decoder).Concat(projections.Weights)) weights[key] = tensor;
        var source = new ParameterSource(weights, Device, isTrainable: _ => false, generator: null);
        var network = new MaskedLanguageModel(new NetworkContext(config, projections, Dropout: null), source);
        network.eval();
        return network;
    }

    private static bool Differ(Tensor one, Tensor other)
    {
        using var scope = NewDisposeScope();
        return one.ne(other).any().item<bool>();
    }

    // Of what was trained only the encoder is read: a language-model head among it would no longer be the base's.
    private static Dictionary<string, Tensor> EncoderOf(IEnumerable<KeyValuePair<string, Tensor>> trained, EncoderConfig config, Device device)
    {
        var keys = SameModel.EncoderShapes(config);
        return trained.Where(weight => keys.ContainsKey(weight.Key)).ToDictionary(weight => weight.Key, weight => Shared(weight.Value, device));
    }

    private static LoraFactors Sum(LoraFactors first, LoraFactors second, Device device)
    {
        var (one, other) = (first.Shared(device), second.Shared(device));
        var sum = one.Plus(other);
        one.Dispose();
        other.Dispose();
        return sum;
    }

    private static Tensor Shared(Tensor tensor, Device device) => tensor.detach().to(device).alias().DetachFromDisposeScope();
}

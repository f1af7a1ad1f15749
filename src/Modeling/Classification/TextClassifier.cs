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
    private readonly IDisposable? _baseHold;

    /// <summary>Builds the scoring network.</summary>
    /// <param name="description">What was fine-tuned, and how.</param>
    /// <param name="tuned">What fine-tuning made, by checkpoint key; this object takes ownership.</param>
    /// <param name="device">Where it scores.</param>
    /// <exception cref="InvalidDataException">A parameter is missing or has another shape than the network needs; the caller keeps ownership.</exception>
    public TextClassifier(ClassifierDescription description, IReadOnlyDictionary<string, Tensor> tuned, Device device)
        : this(description, tuned, device, new Dictionary<string, LoraFactors>(), [])
    {
    }

    private TextClassifier(
        ClassifierDescription description, IReadOnlyDictionary<string, Tensor> tuned, Device device, IReadOnlyDictionary<string, LoraFactors> corrections,
        IReadOnlyList<string> repairedKeys)
    {
        (Description, Tuned, Device, Corrections, RepairedKeys) = (description, tuned, device, corrections, repairedKeys);
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
            var projections = new CorrectedProjections(description.Projections, corrections);
            foreach (var (key, tensor) in tuned.Concat(projections.Weights)) weights[key] = tensor;
            var source = new ParameterSource(weights, device, isTrainable: _ => false, generator: null);
            _network = new SequenceClassifier(new NetworkContext(description.Base.Config, projections, Dropout: null), source, description.ClassCount);
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

    /// <summary>Low-rank corrections beside the fine-tuned matrices, by checkpoint key without ".weight". Owned by this object.</summary>
    public IReadOnlyDictionary<string, LoraFactors> Corrections { get; }

    /// <summary>Keys of <see cref="Tuned"/> whose values are no longer those that fine-tuning made, sorted.</summary>
    public IReadOnlyList<string> RepairedKeys { get; }

    /// <summary>Where it scores.</summary>
    public Device Device { get; }

    /// <summary>Another classifier over the same weights, with further corrections beside its matrices: W + Σ scale · B A.</summary>
    /// <remarks>
    /// Base and tuned weights are shared, not copied: they go with the last classifier that uses them. Corrections of a matrix that already
    /// has some come beside those.
    /// </remarks>
    /// <param name="corrections">By checkpoint key of the matrix without ".weight"; they stay the caller's.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">A correction is of a matrix that the encoder does not have, or of another shape.</exception>
    public TextClassifier WithCorrections(IReadOnlyDictionary<string, LoraFactors> corrections)
    {
        ArgumentNullException.ThrowIfNull(corrections);
        CheckCorrections(corrections);
        return Derive(Shared(), Corrections.Keys.Union(corrections.Keys).ToDictionary(name => name, name => Sum(name, corrections)), []);
    }

    /// <summary>Another classifier over the same weights, whose changes read their inputs through other factors: W0 + scale · B A′.</summary>
    /// <remarks>Ranks, scales and every B stay as they are, and so does the cost of scoring.</remarks>
    /// <param name="downs">
    /// A′ (rank, in) by checkpoint key of the matrix without ".weight", in the place of A of <see cref="OpenChanges"/>: rows of the adapter first,
    /// then those of the correction. They stay the caller's.
    /// </param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">A matrix has no factors, or other ones.</exception>
    public TextClassifier WithDownFactors(IReadOnlyDictionary<string, Tensor> downs)
    {
        ArgumentNullException.ThrowIfNull(downs);
        CheckDownFactors(downs);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var tuned = Shared();
        var corrections = Corrections.ToDictionary(pair => pair.Key, pair => pair.Value.Shared(Device));
        var repaired = new List<string>();
        foreach (var (name, down) in downs)
        {
            var key = $"{name}.lora_A.weight";
            var adapterRank = tuned.TryGetValue(key, out var trained) ? trained.shape[0] : 0;
            if (trained is not null)
            {
                trained.Dispose();
                tuned[key] = Owned(down.narrow(0, 0, adapterRank));
                repaired.Add(key);
            }
            if (!corrections.TryGetValue(name, out var correction)) continue;
            correction.A.Dispose();
            corrections[name] = correction with { A = Owned(down.narrow(0, adapterRank, down.shape[0] - adapterRank)) };
        }
        return Derive(tuned, corrections, repaired);
    }

    /// <summary>Another classifier with something added to whole matrices: W + shift.</summary>
    /// <remarks>Of the tuned weights only the matrices named are copied; the rest is shared.</remarks>
    /// <param name="shifts">(out, in), of any floating-point type, by checkpoint key of the matrix without ".weight"; they stay the caller's.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">The classifier was fine-tuned with LoRA: its matrices are the base's.</exception>
    /// <exception cref="InvalidDataException">A shift is of a matrix that was not fine-tuned, or of another shape.</exception>
    public TextClassifier WithShifts(IReadOnlyDictionary<string, Tensor> shifts)
    {
        ArgumentNullException.ThrowIfNull(shifts);
        if (Description.Lora is not null)
            throw new InvalidOperationException("The classifier was fine-tuned with LoRA: its matrices are the base's. Change its factors instead.");
        CheckShifts(shifts);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var tuned = Shared();
        foreach (var (name, shift) in shifts)
        {
            var trained = tuned[$"{name}.weight"];
            tuned[$"{name}.weight"] = Owned(trained.add(shift.detach().to(Device).to(trained.dtype)));
            trained.Dispose();
        }
        return Derive(tuned, Corrections.ToDictionary(pair => pair.Key, pair => pair.Value.Shared(Device)), [.. shifts.Keys.Select(name => $"{name}.weight")]);
    }

    /// <summary>What fine-tuning, and the corrections after it, did to the base's matrices.</summary>
    /// <param name="baseModel">
    /// The base, for a classifier that was saved without it; null where it is at hand. Its content must be that of the base named in
    /// <see cref="Description"/>.
    /// </param>
    /// <param name="classNames">The classes in output order, for a checkpoint written from the changes; null where they have no names.</param>
    /// <returns>Shares this classifier's weights, which live until both are disposed. The caller disposes it.</returns>
    /// <exception cref="ArgumentException"><paramref name="baseModel"/> is another model, or the names are not as many as the classes.</exception>
    /// <exception cref="InvalidOperationException">The classifier was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    public ClassifierChanges OpenChanges(PretrainedModel? baseModel = null, IReadOnlyList<string>? classNames = null) =>
        ClassifierChanges.Open(this, baseModel, classNames);

    /// <summary>The adapter of a LoRA classifier, corrections included, and its head.</summary>
    /// <returns>Copies; exact, each matrix of rank "adapter plus corrections". The caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">All weights were fine-tuned: there is no adapter.</exception>
    public LoraAdapter ToAdapter()
    {
        if (Description.Lora is null)
            throw new InvalidOperationException(
                "The classifier was fine-tuned in full: its change has no low-rank form. Save the model itself, or fine-tune with LoRA for an adapter.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var head = Tuned.Where(weight => !LoraProjections.IsAdapterKey(weight.Key))
            .ToDictionary(weight => weight.Key, weight => weight.Value.detach().clone().DetachFromDisposeScope());
        var changed = SequenceClassifier.Matrices(Description.Base.Config).Select(matrix => matrix.Key).Where(name => FactorsOf(name) is not null);
        return new LoraAdapter(changed.ToDictionary(name => name, ChangeOf), head);
    }

    /// <summary>The fine-tuned encoder as a model to start from: adapter and corrections merged into its matrices, in float32.</summary>
    /// <remarks>
    /// Everything that fine-tuning does not reach is the base's, its language-model head above all; one that is tied to the embedding follows
    /// that where it was trained. The classification head stays behind, BERT's pooler, which is part of it, included.
    /// </remarks>
    /// <param name="name">What the model is called.</param>
    /// <returns>Copies; the caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">The classifier was saved without its base.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed, or a merged weight is not finite.</exception>
    public EmbeddedModel Merge(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var shared = SharedWeights.Acquire(Description.Base, Device);
        var model = Description.Base;
        var weights = shared.Tensors.Where(weight => CheckpointKeys.IsBaseKey(weight.Key, model.Config)).ToDictionary();
        foreach (var (key, tensor) in Tuned)
            if (!SequenceClassifier.IsHeadKey(key, model.Config) && !LoraProjections.IsAdapterKey(key)) weights[key] = tensor;
        foreach (var (matrix, _) in SequenceClassifier.Matrices(model.Config))
        {
            if (FactorsOf(matrix) is not var (change, correction)) continue;
            var key = $"{matrix}.weight";
            var merged = change.AddTo(weights[key].to(ScalarType.Float64));
            weights[key] = (correction?.AddTo(merged) ?? merged).to(ScalarType.Float32);
        }
        if (weights.FirstOrDefault(weight => !weight.Value.isfinite().all().item<bool>()) is { Key: { } broken })
            throw new InvalidDataException($"{name}: {MessageText.Quote(broken)} holds values that are not finite after merging; the training diverged.");
        return EmbeddedModel.Of(name, model.Config, model.Tokenizer, model.Card, weights);
    }

    /// <summary>Logits of several rows, computed in one pass.</summary>
    /// <param name="rows">One or more encoded rows.</param>
    /// <returns>rows × classes numbers, row by row.</returns>
    public float[] Score(IReadOnlyList<EncodedText> rows)
    {
        using var _ = inference_mode();
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(rows, Description.Base.Config, Device);
        return _network.forward(batch).cpu().data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        foreach (var tensor in Tuned.Values) tensor.Dispose();
        foreach (var factors in Corrections.Values) factors.Dispose();
        _base?.Dispose();
        _baseHold?.Dispose();
    }

    /// <summary>The fine-tuned encoder, without the head; it stays this classifier's.</summary>
    internal Encoder Encoder => _network.Encoder;

    /// <summary>The adapter of one matrix, on its own or with its correction, or the correction alone; null where there is neither.</summary>
    /// <remarks>Borrowed where there is only one of them.</remarks>
    internal (LoraFactors Adapter, LoraFactors? Correction)? FactorsOf(string name)
    {
        var correction = Corrections.GetValueOrDefault(name);
        if (!Tuned.TryGetValue($"{name}.lora_A.weight", out var down)) return correction is null ? null : (correction, null);
        return (new LoraFactors(down, Tuned[$"{name}.lora_B.weight"], Description.Lora!.Scaling), correction);
    }

    private Dictionary<string, Tensor> Shared() => Tuned.ToDictionary(weight => weight.Key, weight => weight.Value.alias().DetachFromDisposeScope());

    private Tensor Owned(Tensor tensor) => tensor.detach().to(float32, Device, copy: true).contiguous().DetachFromDisposeScope();

    // Takes both over.
    private TextClassifier Derive(Dictionary<string, Tensor> tuned, Dictionary<string, LoraFactors> corrections, IReadOnlyList<string> repaired)
    {
        try
        {
            return new TextClassifier(Description, tuned, Device, corrections, [.. RepairedKeys.Union(repaired).Order(StringComparer.Ordinal)]);
        }
        catch
        {
            foreach (var tensor in tuned.Values) tensor.Dispose();
            foreach (var factors in corrections.Values) factors.Dispose();
            throw;
        }
    }

    // A copy.
    private LoraFactors ChangeOf(string name)
    {
        var (adapter, correction) = FactorsOf(name)!.Value;
        if (correction is not null) return adapter.Plus(correction);
        return new LoraFactors(adapter.A.detach().clone().DetachFromDisposeScope(), adapter.B.detach().clone().DetachFromDisposeScope(), adapter.Scale);
    }

    private LoraFactors Sum(string name, IReadOnlyDictionary<string, LoraFactors> added)
    {
        if (!added.TryGetValue(name, out var second)) return Corrections[name].Shared(Device);
        if (!Corrections.TryGetValue(name, out var first)) return second.Shared(Device);
        using var moved = second.Shared(Device);
        return first.Plus(moved);
    }

    private void CheckCorrections(IReadOnlyDictionary<string, LoraFactors> corrections)
    {
        var slots = SequenceClassifier.Matrices(Description.Base.Config).ToDictionary();
        foreach (var (name, factors) in corrections.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!slots.TryGetValue(name, out var slot))
                throw new InvalidDataException($"A correction is of {MessageText.Quote(name)}, which is no matrix of the encoder of '{Description.Base.Name}'.");
            if (factors.A.shape is [var rank, var inputs] && factors.B.shape is [var outputs, var inner]
                && rank >= 1 && rank == inner && inputs == slot.Inputs && outputs == slot.Outputs) continue;
            throw new InvalidDataException(
                $"The correction of {MessageText.Quote(name)} is A ({string.Join(", ", factors.A.shape)}), B ({string.Join(", ", factors.B.shape)}); "
                + $"a matrix of ({slot.Outputs}, {slot.Inputs}) wants A (rank, {slot.Inputs}), B ({slot.Outputs}, rank).");
        }
    }

    private void CheckDownFactors(IReadOnlyDictionary<string, Tensor> downs)
    {
        foreach (var (name, down) in downs.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (FactorsOf(name) is not var (adapter, correction))
                throw new InvalidDataException($"A factor is of {MessageText.Quote(name)}, which the classifier has no factors of.");
            var (rank, inputs) = (adapter.Rank + (correction?.Rank ?? 0), adapter.A.shape[1]);
            if (!down.shape.AsSpan().SequenceEqual([rank, inputs]))
                throw new InvalidDataException($"The factor of {MessageText.Quote(name)} is ({string.Join(", ", down.shape)}); ({rank}, {inputs}) was wanted.");
        }
    }

    private void CheckShifts(IReadOnlyDictionary<string, Tensor> shifts)
    {
        var slots = SequenceClassifier.Matrices(Description.Base.Config).ToDictionary();
        foreach (var (name, shift) in shifts.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!slots.TryGetValue(name, out var slot) || !Tuned.ContainsKey($"{name}.weight"))
                throw new InvalidDataException($"A shift is of {MessageText.Quote(name)}, which is no fine-tuned matrix of the encoder of '{Description.Base.Name}'.");
            if (!shift.shape.AsSpan().SequenceEqual([slot.Outputs, slot.Inputs]))
                throw new InvalidDataException($"The shift of {MessageText.Quote(name)} is ({string.Join(", ", shift.shape)}); ({slot.Outputs}, {slot.Inputs}) was wanted.");
        }
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
}

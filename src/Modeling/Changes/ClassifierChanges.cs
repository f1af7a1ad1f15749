using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What fine-tuning did to a classifier's base: an adapter's factors or the tuned matrices, corrections included.</summary>
/// <remarks>
/// Made by <see cref="TextClassifier.OpenChanges"/>. Holds handles of its own on the classifier's memory. The base beneath an adapter is in
/// memory, shared; that of a fully tuned classifier is read matrix by matrix from where it is stored. Thread-safe.
/// </remarks>
public sealed class ClassifierChanges : IWeightChanges
{
    private readonly Lock _reading = new();
    private readonly ClassifierDescription _description;
    private readonly IReadOnlyList<string>? _classNames;
    private readonly Dictionary<string, Tensor> _trained = [];          // all that was trained and is no adapter, by key
    private readonly Dictionary<string, Tensor> _tuned = [];            // of that the matrices, after full fine-tuning
    private readonly Dictionary<string, Tensor> _frozen = [];           // beneath an adapter
    private readonly Dictionary<string, LoraFactors> _factors = [];     // adapter and corrections
    private readonly SharedWeights? _shared;
    private readonly BaseWeights? _stored;
    private readonly IDisposable? _baseHold;        // whoever runs BaseModel finds its weights, also after the classifier has gone

    private ClassifierChanges(TextClassifier classifier, PretrainedModel model, IReadOnlyList<string>? classNames)
    {
        (_description, _classNames, BaseModel) = (classifier.Description, classNames, model);
        var projections = SequenceClassifier.Matrices(model.Config).Select(matrix => matrix.Key).ToList();
        try
        {
            _baseHold = model.HoldWeights();
            if (classifier.Description.Lora is null) _stored = model.OpenUnchangedWeights();
            else _shared = SharedWeights.Acquire(model, classifier.Device);
            foreach (var (key, tensor) in classifier.Tuned)
                if (!LoraProjections.IsAdapterKey(key)) _trained.Add(key, tensor.alias().DetachFromDisposeScope());
            foreach (var name in projections) Take(name, classifier);
        }
        catch
        {
            Dispose();
            throw;
        }
        Names = [.. projections.Where(IsMeasurable).Order(NaturalOrder.Instance)];
        Skipped = _trained
            .Where(weight => !Names.Contains(MatrixKeys.NameOf(weight.Key)))
            .ToDictionary(weight => weight.Key, weight => ReasonToSkip(weight.Key, weight.Value, model.Config));
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Skipped { get; }

    /// <summary>The model that the classifier was fine-tuned from; weights of a model file can be read until this object is disposed.</summary>
    public PretrainedModel BaseModel { get; }

    /// <summary>Whether the change is an adapter's, for <see cref="WriteAdapter"/>; otherwise all weights changed, for <see cref="WriteCheckpoint"/>.</summary>
    public bool IsLowRank => _description.Lora is not null;

    /// <inheritdoc cref="TextClassifier.OpenChanges"/>
    internal static ClassifierChanges Open(TextClassifier classifier, PretrainedModel? baseModel, IReadOnlyList<string>? classNames)
    {
        if (classNames is not null && classNames.Count != classifier.Description.ClassCount)
            throw new ArgumentException($"{classNames.Count} names are given for {classifier.Description.ClassCount} classes.", nameof(classNames));
        var chosen = ChooseBase(classifier, baseModel);
        // The base beneath an adapter is in memory already.
        return new ClassifierChanges(classifier, classifier.Description.Lora is null ? chosen : classifier.Description.Base, classNames);
    }

    /// <summary>The base that is given, or else the one that the classifier knows.</summary>
    /// <exception cref="ArgumentException">The one given is another model.</exception>
    internal static PretrainedModel ChooseBase(TextClassifier classifier, PretrainedModel? baseModel)
    {
        var known = classifier.Description.Base;
        if (baseModel is not null && baseModel.ContentHash != known.ContentHash)
            throw new ArgumentException(
                $"The base given is '{baseModel.Name}' (content {baseModel.ContentHash[..12]}…); the classifier was fine-tuned from '{known.Name}' "
                + $"(content {known.ContentHash[..12]}…). Open that checkpoint.");
        return baseModel ?? known;
    }

    /// <inheritdoc/>
    public OwnedWeightChange Open(string name, Device device)
    {
        if (!Names.Contains(name))
            throw new ArgumentException($"{MessageText.Quote(name)} is none of the {Names.Count} matrices that were fine-tuned; Names lists them.", nameof(name));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor[] tensors = _tuned.TryGetValue(name, out var tuned) ? [Stored(name), TunedMatrix(tuned, name)] : [_frozen[name], _factors[name].A, _factors[name].B];
        // Handles that whoever gets the change may free.
        tensors = [.. tensors.Select(tensor => tensor.to(device).alias())];
        var change = tensors is [var weight, var a, var b]
            ? WeightChange.LowRank(name, weight, a, b, _factors[name].Scale)
            : WeightChange.Dense(name, tensors[0], tensors[1]);
        foreach (var tensor in tensors) tensor.DetachFromDisposeScope();
        return new OwnedWeightChange(change, tensors);
    }

    /// <summary>Writes the adapter in PEFT's files with other factors for some matrices, and the head.</summary>
    /// <remarks>The folder is complete, or nothing is written.</remarks>
    /// <param name="folder">Created when missing; an adapter in it is replaced.</param>
    /// <param name="factors">By one of <see cref="Names"/>; of any rank, and the caller's. Matrices not named keep theirs.</param>
    /// <exception cref="InvalidOperationException">All weights were fine-tuned: there is no adapter.</exception>
    /// <exception cref="ArgumentException">A name is none of the adapter's.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="IOException">The folder cannot be written, for example on a full disk.</exception>
    public void WriteAdapter(string folder, IReadOnlyDictionary<string, LoraFactors> factors)
    {
        ArgumentNullException.ThrowIfNull(factors);
        if (!IsLowRank) throw new InvalidOperationException("The classifier was fine-tuned in full: its change has no low-rank form. Write a checkpoint.");
        if (factors.Keys.Where(name => !_factors.ContainsKey(name)).ToList() is { Count: > 0 } strangers)
            throw new ArgumentException($"The adapter changes no {MessageText.List(strangers)}.", nameof(factors));
        // Not disposed: its tensors are the caller's and this object's.
        var adapter = new LoraAdapter(_factors.ToDictionary(pair => pair.Key, pair => factors.GetValueOrDefault(pair.Key) ?? pair.Value), _trained);
        PeftFolder.Write(folder, adapter, _description);
    }

    /// <summary>Writes the fine-tuned model as a checkpoint folder in Hugging Face's layout, float32, with other values for some matrices.</summary>
    /// <remarks>The folder is complete, or nothing is written. Memory: the matrices replaced.</remarks>
    /// <param name="folder">Created when missing; a model in it is replaced.</param>
    /// <param name="replace">Asked once for each of <see cref="Names"/>: a matrix of the same shape, which is disposed here, or null to keep the tuned one.</param>
    /// <exception cref="InvalidOperationException">The model is an adapter on its base.</exception>
    /// <exception cref="ArgumentException">A replacement has another shape.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="IOException">The folder cannot be written, for example on a full disk.</exception>
    public void WriteCheckpoint(string folder, Func<string, Tensor?> replace)
    {
        ArgumentNullException.ThrowIfNull(replace);
        if (IsLowRank) throw new InvalidOperationException("The classifier is an adapter on its base. Write the adapter.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var weights = new Dictionary<string, Tensor>(_trained);
        foreach (var (name, tuned) in _tuned) weights[$"{name}.weight"] = TunedMatrix(tuned, name);
        foreach (var name in Names)
        {
            if (replace(name) is not { } other) continue;
            scope.Attach(other);
            weights[$"{name}.weight"] = Fitting(name, other);
        }
        var model = _description.Base;
        var config = model.Config with { LabelNames = _classNames ?? [.. Enumerable.Range(0, _description.ClassCount).Select(label => $"LABEL_{label}")] };
        CheckpointFolder.Write(folder, config, model.Tokenizer, weights, ScalarType.Float32, config.ClassificationArchitecture, model.Card);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _trained.Values.Concat(_frozen.Values)) tensor.Dispose();
        foreach (var factors in _factors.Values) factors.Dispose();
        _shared?.Dispose();
        _stored?.Dispose();
        _baseHold?.Dispose();
    }

    private void Take(string name, TextClassifier classifier)
    {
        if (classifier.FactorsOf(name) is var (change, correction))
            _factors.Add(name, correction is null ? change.Shared(classifier.Device) : change.Plus(correction));
        var key = $"{name}.weight";
        if (_shared is null) _tuned.Add(name, _trained[key]);
        // What the base lacks was drawn at random before training, and came with the classifier.
        else _frozen.Add(name, (_shared.Tensors.GetValueOrDefault(key) ?? classifier.Tuned[key]).alias().DetachFromDisposeScope());
    }

    private bool IsMeasurable(string name) => _stored is null ? _factors.ContainsKey(name) : _stored.Entries.ContainsKey($"{name}.weight");

    private Tensor Fitting(string name, Tensor replacement) => replacement.shape.SequenceEqual(_tuned[name].shape)
        ? replacement
        : throw new ArgumentException(
            $"{MessageText.Quote(name)} is ({string.Join(", ", _tuned[name].shape)}); its replacement is ({string.Join(", ", replacement.shape)}).");

    private Tensor Stored(string name)
    {
        lock (_reading) return _stored!.Read($"{name}.weight");
    }

    // The tuned matrix; with a correction in float64, so that what the correction took away is not rounded back.
    private Tensor TunedMatrix(Tensor tuned, string name)
    {
        if (!_factors.TryGetValue(name, out var correction)) return tuned;
        var (a, b) = (correction.A.to(ScalarType.Float64), correction.B.to(ScalarType.Float64));
        return tuned.to(ScalarType.Float64).add(b.matmul(a), alpha: correction.Scale);
    }

    private static string ReasonToSkip(string key, Tensor tensor, EncoderConfig config)
    {
        if (SequenceClassifier.IsHeadKey(key, config)) return "part of the classification head, which every method trains from new values";
        if (tensor.dim() != 2) return "a vector has no singular directions";
        return key.Contains("embeddings.", StringComparison.Ordinal)
            ? "an embedding is a table, not a linear map"
            : "the base has no such matrix: it was drawn at random before training";
    }
}

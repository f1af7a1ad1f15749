using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What fine-tuning did to a classifier's base: an adapter's factors or the tuned matrices, corrections included.</summary>
/// <remarks>
/// Holds handles of its own on the classifier's memory. The base beneath an adapter is in memory, shared; that of a fully tuned classifier is
/// read matrix by matrix from where it is stored.
/// </remarks>
internal sealed class ClassifierChanges : IWeightChanges
{
    private readonly Lock _reading = new();
    private readonly Dictionary<string, Tensor> _tuned = [];            // after full fine-tuning
    private readonly Dictionary<string, Tensor> _frozen = [];           // beneath an adapter
    private readonly Dictionary<string, LoraFactors> _factors = [];     // adapter and corrections
    private readonly SharedWeights? _shared;
    private readonly BaseWeights? _stored;

    private ClassifierChanges(TextClassifier classifier, PretrainedModel model)
    {
        var projections = SequenceClassifier.Matrices(model.Config).Select(matrix => matrix.Key).ToList();
        try
        {
            if (classifier.Description.Lora is null) _stored = model.OpenUnchangedWeights();
            else _shared = SharedWeights.Acquire(model, classifier.Device);
            foreach (var name in projections) Take(name, classifier);
        }
        catch
        {
            Dispose();
            throw;
        }
        Names = [.. projections.Where(name => IsMeasurable(name))];
        Skipped = classifier.Tuned
            .Where(weight => !LoraProjections.IsAdapterKey(weight.Key) && !Names.Contains(ModuleOf(weight.Key)))
            .ToDictionary(weight => weight.Key, weight => ReasonToSkip(weight.Key, weight.Value, model.Config));
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Skipped { get; }

    /// <inheritdoc cref="TextClassifier.OpenChanges"/>
    public static ClassifierChanges Open(TextClassifier classifier, PretrainedModel? baseModel)
    {
        var known = classifier.Description.Base;
        if (baseModel is not null && baseModel.ContentHash != known.ContentHash)
            throw new ArgumentException(
                $"The base given is '{baseModel.Name}' (content {baseModel.ContentHash[..12]}…); the classifier was fine-tuned from '{known.Name}' "
                + $"(content {known.ContentHash[..12]}…). Open that checkpoint.");
        return new ClassifierChanges(classifier, baseModel ?? known);
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

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _tuned.Values.Concat(_frozen.Values)) tensor.Dispose();
        foreach (var factors in _factors.Values) factors.Dispose();
        _shared?.Dispose();
        _stored?.Dispose();
    }

    private void Take(string name, TextClassifier classifier)
    {
        if (classifier.FactorsOf(name) is var (change, correction))
            _factors.Add(name, correction is null ? change.Shared(classifier.Device) : change.Plus(correction));
        var key = $"{name}.weight";
        if (_shared is null) _tuned.Add(name, classifier.Tuned[key].alias().DetachFromDisposeScope());
        // What the base lacks was drawn at random before training, and came with the classifier.
        else _frozen.Add(name, (_shared.Tensors.GetValueOrDefault(key) ?? classifier.Tuned[key]).alias().DetachFromDisposeScope());
    }

    private bool IsMeasurable(string name) => _stored is null ? _factors.ContainsKey(name) : _stored.Entries.ContainsKey($"{name}.weight");

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

    private static string ModuleOf(string key) => key.EndsWith(".weight", StringComparison.Ordinal) ? key[..^".weight".Length] : key;

    private static string ReasonToSkip(string key, Tensor tensor, EncoderConfig config)
    {
        if (SequenceClassifier.IsHeadKey(key, config)) return "part of the classification head, which every method trains from new values";
        if (tensor.dim() != 2) return "a vector has no singular directions";
        return key.Contains("embeddings.", StringComparison.Ordinal)
            ? "an embedding is a table, not a linear map"
            : "the base has no such matrix: it was drawn at random before training";
    }
}

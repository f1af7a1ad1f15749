using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>The fine-tuned classifier that a fit goes on from, held while its weights are needed.</summary>
internal sealed class InitialClassifier : IDisposable
{
    private readonly string _name;
    private readonly SharedOwner<ClassifierScorer>.Share _share;
    private readonly IDisposable? _loaded;

    private InitialClassifier(string name, TextClassificationTransformer transformer, IDisposable? loaded)
    {
        (_name, _loaded, Labels) = (name, loaded, transformer.Labels);
        _share = transformer.AcquireShare();
    }

    /// <summary>Its classes.</summary>
    public LabelValues Labels { get; }

    /// <summary>Keys of what its training made.</summary>
    public IEnumerable<string> Keys => Classifier.Tuned.Keys;

    private TextClassifier Classifier => _share.Resource.Classifier;

    private ClassifierDescription Description => Classifier.Description;

    /// <summary>Opens the file, or takes a share in the transformer.</summary>
    /// <exception cref="ArgumentException">The file holds no fine-tuned text classifier, or several.</exception>
    /// <exception cref="InvalidDataException">The file cannot be loaded as a model.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public static InitialClassifier Open(InitialModel initial, IHostEnvironment env)
    {
        if (initial.Classifier is { } given) return new InitialClassifier(initial.Name, given, null);
        var model = ModelLoading.Load(env, initial.Path!);
        try
        {
            return new InitialClassifier(initial.Name, InitialModel.Find(model, initial.Name), model as IDisposable);
        }
        catch
        {
            (model as IDisposable)?.Dispose();
            throw;
        }
    }

    /// <summary>Refuses what cannot be gone on from: the classifier's weights would mean something else in the new network.</summary>
    /// <exception cref="ArgumentException">Another base, full fine-tuning where an adapter is wanted, or an adapter of another shape.</exception>
    public void Check(PretrainedModel model, FineTuningMethod method, LoraOptions lora)
    {
        var (before, adapter) = (Description.Base, Description.Lora);
        if (before.ContentHash != model.ContentHash)
            throw new ArgumentException(
                $"InitialModel: {_name} was fine-tuned from '{before.Name}' (content {before.ContentHash[..12]}…), this trainer's model is '{model.Name}' "
                + $"(content {model.ContentHash[..12]}…). Give the trainer the same base, such as TextClassificationTransformer.BaseModel of the initial model.");
        if (method is FineTuningMethod.Full) return;     // an adapter is merged into the weights
        if (adapter is null)
            throw new ArgumentException(
                $"InitialModel: {_name} was fine-tuned in full, and an adapter leaves its base as it is. Use FullFineTuningTextClassification to go on.");
        if (Differences(adapter, lora, model.Projections) is { Count: > 0 } differences)
            throw new ArgumentException(
                $"InitialModel: {_name} has an adapter of another shape: {string.Join("; ", differences)}. "
                + "Set Lora to TextClassificationTransformer.Lora of the initial model (its Dropout may differ), or train in full.");
    }

    /// <summary>The parameters to start from, by checkpoint key: the base's where training left them, else the classifier's.</summary>
    /// <remarks>New tensors belong to the caller's dispose scope; the others are the base's and the classifier's own, not to be written to.</remarks>
    /// <param name="method">How training goes on.</param>
    /// <param name="frozen">The base's weights on the device.</param>
    /// <param name="classCount">Classes of the new network: this classifier's and those appended to them.</param>
    /// <param name="device">Where the new network is.</param>
    /// <param name="generator">Draws the head's rows of the appended classes.</param>
    public IReadOnlyDictionary<string, Tensor> Weights(
        FineTuningMethod method, IReadOnlyDictionary<string, Tensor> frozen, int classCount, Device device, Generator generator)
    {
        using var _ = no_grad();
        var weights = new Dictionary<string, Tensor>(frozen);
        foreach (var (key, tensor) in Classifier.Tuned) weights[key] = tensor.detach().to(device);
        if (classCount > Labels.Count)
            foreach (var (key, rows) in SequenceClassifier.DrawClasses(Description.Base.Config, classCount - Labels.Count, device, generator))
                weights[key] = cat([weights[key], rows]);
        if (method is FineTuningMethod.Full && Description.Lora is { } lora) Merge(weights, lora);
        return weights;
    }

    public void Dispose()
    {
        _share.Dispose();
        _loaded?.Dispose();
    }

    private static List<string> Differences(LoraOptions before, LoraOptions now, IReadOnlyList<ProjectionShape> slots)
    {
        var differences = new List<string>();
        if (before.Rank != now.Rank) differences.Add($"rank {before.Rank}, Lora.Rank is {now.Rank}");
        if (before.EffectiveAlpha != now.EffectiveAlpha) differences.Add($"alpha {before.EffectiveAlpha}, Lora.Alpha is {now.EffectiveAlpha}");
        var (theirs, ours) = (Targets(before), Targets(now));
        if (theirs != ours) differences.Add($"targets {theirs}, Lora.TargetModules are {ours}");
        return differences;

        string Targets(LoraOptions options) => string.Join(", ", slots.Select(slot => slot.Target).Where(options.Targets));
    }

    // W + (alpha / rank) B A: the same function without the adapter.
    private static void Merge(Dictionary<string, Tensor> weights, LoraOptions lora)
    {
        const string Down = ".lora_A.weight", Up = ".lora_B.weight";
        foreach (var down in weights.Keys.Where(key => key.EndsWith(Down, StringComparison.Ordinal)).ToList())
        {
            var slot = down[..^Down.Length];
            var correction = weights[slot + Up].matmul(weights[down]);       // (out, rank) · (rank, in)
            weights[slot + ".weight"] = weights[slot + ".weight"].add(correction, alpha: lora.Scaling);
            weights.Remove(down);
            weights.Remove(slot + Up);
        }
    }
}

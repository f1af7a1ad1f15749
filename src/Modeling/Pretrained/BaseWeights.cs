using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The parameters of a pretrained model as they are stored, under the keys that networks ask for.</summary>
/// <remarks>Opened for one purpose and disposed; not thread-safe.</remarks>
internal abstract class BaseWeights : IDisposable
{
    /// <summary>Stored type and shape by key: encoder, pooler, language-model head, and a classification head that fine-tuning may start from.</summary>
    public abstract IReadOnlyDictionary<string, StoredTensor> Entries { get; }

    /// <summary>What else the checkpoint holds, by its keys in the file.</summary>
    public virtual IReadOnlyCollection<string> ForeignKeys => [];

    /// <summary>One parameter on the CPU, as stored; the caller owns it.</summary>
    /// <exception cref="InvalidDataException">Some values are NaN or infinite: neither training nor scoring would survive them.</exception>
    public abstract Tensor Read(string key);

    /// <summary>Hands the stored bytes of one parameter to <paramref name="visit"/>, in order.</summary>
    public abstract void ForEachStretch(string key, Action<ReadOnlySpan<byte>> visit);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>How one parameter is stored.</summary>
internal sealed record StoredTensor(ScalarType DataType, long[] Shape)
{
    public long ElementCount { get; } = Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>Base weights in a checkpoint's files or stream.</summary>
internal sealed class CheckpointWeights : BaseWeights
{
    private readonly Checkpoint _checkpoint;
    private readonly Dictionary<string, string> _fileKeys;
    private readonly Dictionary<string, StoredTensor> _entries;

    /// <summary>Takes over <paramref name="checkpoint"/>.</summary>
    public CheckpointWeights(Checkpoint checkpoint, EncoderConfig config)
        : this(
            checkpoint, () => CheckpointKeys.InFile(checkpoint, config),
            isOurs: key => CheckpointKeys.IsBaseKey(key, config) || config.Layout.Classification.Holds(key))
    {
    }

    /// <summary>Takes over <paramref name="checkpoint"/>.</summary>
    public CheckpointWeights(Checkpoint checkpoint, DecoderConfig config)
        : this(checkpoint, () => DecoderKeys.InFile(checkpoint), isOurs: key => DecoderKeys.IsParameter(key, config))
    {
    }

    private CheckpointWeights(Checkpoint checkpoint, Func<Dictionary<string, string>> fileKeys, Func<string, bool> isOurs)
    {
        _checkpoint = checkpoint;
        try
        {
            _fileKeys = fileKeys();
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
        _entries = _fileKeys.Where(pair => isOurs(pair.Key)).ToDictionary(
            pair => pair.Key,
            pair => new StoredTensor(checkpoint.Entries[pair.Value].DataType, [.. checkpoint.Entries[pair.Value].Shape]));
        ForeignKeys = [.. _fileKeys.Where(pair => !isOurs(pair.Key)).Select(pair => pair.Value)];
    }

    public override IReadOnlyDictionary<string, StoredTensor> Entries => _entries;

    public override IReadOnlyCollection<string> ForeignKeys { get; }

    public override Tensor Read(string key) => _checkpoint.ReadFinite(_fileKeys[key]);

    /// <summary>One parameter converted; the caller owns it.</summary>
    /// <exception cref="InvalidDataException">Some values are NaN or infinite, as stored or after conversion.</exception>
    public Tensor Read(string key, ScalarType dataType, Device device) => _checkpoint.ReadFinite(_fileKeys[key], dataType, device);

    public override void ForEachStretch(string key, Action<ReadOnlySpan<byte>> visit) => _checkpoint.ForEachStretch(_fileKeys[key], visit);

    public override void Dispose() => _checkpoint.Dispose();
}

/// <summary>Base weights that live in memory, all of them finite.</summary>
/// <param name="tensors">The weights on any device, perhaps in a wider type than they are stored in.</param>
/// <param name="storedTypes">The types they are stored in.</param>
/// <param name="owner">Keeps the tensors until this is disposed; disposed with it.</param>
internal sealed class RetainedWeights(
    IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, ScalarType> storedTypes, IDisposable? owner) : BaseWeights
{
    /// <summary>No weights at all: a model to be drawn at random.</summary>
    public static RetainedWeights None { get; } = new(new Dictionary<string, Tensor>(), new Dictionary<string, ScalarType>(), owner: null);

    public override IReadOnlyDictionary<string, StoredTensor> Entries { get; } = tensors.ToDictionary(
        tensor => tensor.Key, tensor => new StoredTensor(storedTypes[tensor.Key], tensor.Value.shape));

    public override Tensor Read(string key)
    {
        using var scope = NewDisposeScope();
        return tensors[key].cpu().to(storedTypes[key]).alias().MoveToOuterDisposeScope();
    }

    public override void ForEachStretch(string key, Action<ReadOnlySpan<byte>> visit)
    {
        using var stored = Read(key);
        TensorBytes.ForEachStretch(stored, stretch => visit(stretch));
    }

    public override void Dispose() => owner?.Dispose();
}

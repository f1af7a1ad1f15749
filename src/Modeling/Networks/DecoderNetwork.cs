using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The causal language model that a checkpoint holds, ready to run.</summary>
/// <remarks>
/// Needs no tokenizer: ids go in. Owns its weights, which are read shard by shard and kept in the type asked for; dispose it. Forward is
/// thread-safe.
/// </remarks>
public sealed class DecoderNetwork : IDisposable
{
    private readonly CausalLanguageModel _network;

    private DecoderNetwork(DecoderConfig config, ScalarType dataType, Device device, IProjectionFactory projections, ParameterSource source)
    {
        (Config, DataType, Device) = (config, dataType, device);
        _network = new CausalLanguageModel(new DecoderContext(config, projections, Dropout: null), source);
        _network.eval();
    }

    /// <summary>Sizes and constants.</summary>
    public DecoderConfig Config { get; }

    /// <summary>What the weights are kept and layers are computed in; norms and logits are float32 at least.</summary>
    public ScalarType DataType { get; }

    /// <summary>Where the network runs: batches must be there too.</summary>
    public Device Device { get; }

    /// <summary>Opens a folder with config.json and safetensors weights.</summary>
    /// <param name="folder">A checkpoint of one of the families of <see cref="DecoderFamily"/>, in one file or in shards.</param>
    /// <param name="device">Where the network runs.</param>
    /// <param name="adapterFolder">PEFT's files of an adapter for this checkpoint, or null.</param>
    /// <param name="dataType">float32 (default), bfloat16, float16 or float64; the last for reference computations.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged, contradicts another, or the adapter does not fit.</exception>
    public static DecoderNetwork Open(string folder, Device device, string? adapterFolder = null, ScalarType dataType = ScalarType.Float32)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(device);
        if (dataType is not (ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64))
            throw new ArgumentException($"dataType is {dataType}; use Float32, BFloat16, Float16 or Float64.", nameof(dataType));
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder with config.json and {Checkpoint.FileName}.");
        var config = DecoderConfig.FromFile(Path.Combine(folder, "config.json"));
        using var scope = NewDisposeScope();     // the network's parameters share the storage of what is read, and keep it
        using var adapter = adapterFolder is null ? null : PeftFolder.Read(adapterFolder, config, device);
        if (adapter?.Complaints(DecoderShapes.Of(config)) is { Count: > 0 } complaints)
            throw new InvalidDataException($"{adapterFolder}: the adapter was made for another base: {MessageText.Some(complaints)}.");

        var weights = Load(folder, config, dataType, device);
        foreach (var (key, tensor) in adapter?.Weights ?? []) weights[key] = tensor.to(dataType);
        IProjectionFactory projections = adapter is null ? new PlainProjections() : new AdapterProjections(adapter);
        return new DecoderNetwork(config, dataType, device, projections, new ParameterSource(weights, device, isTrainable: _ => false, generator: null));
    }

    /// <summary>Runs the network without gradients.</summary>
    /// <returns>Logits (batch, tokens, vocabulary) and last hidden state (batch, tokens, hidden); the caller owns both.</returns>
    public (Tensor Logits, Tensor LastHiddenState) Forward(CausalBatch batch)
    {
        using var _ = no_grad();
        return _network.ForwardWithHiddenState(batch);
    }

    /// <summary>Logits for what follows the last token of each row, without gradients.</summary>
    /// <inheritdoc cref="CausalLanguageModel.ForwardLast"/>
    public Tensor ForwardLast(CausalBatch batch, KeyValueCache? cache)
    {
        using var _ = no_grad();
        return _network.ForwardLast(batch, cache);
    }

    /// <summary>An empty cache for this network; the caller disposes it.</summary>
    /// <param name="rowCount">Rows of every batch, 1 or more.</param>
    /// <param name="capacity">How many tokens a row may have in all, padding included, 1 or more.</param>
    public KeyValueCache NewCache(int rowCount, int capacity) => new(Config, rowCount, capacity, Device, DataType);

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();

    private static Dictionary<string, Tensor> Load(string folder, DecoderConfig config, ScalarType dataType, Device device)
    {
        using var weights = new CheckpointWeights(Checkpoint.Open(folder), config);
        var complaints = DecoderShapes.Complaints(config, weights.Entries);
        if (complaints.Count > 0)
            throw new InvalidDataException($"{folder}: {string.Join(", ", complaints)}. Use the config.json that belongs to these weights.");
        return DecoderShapes.Of(config).Keys.ToDictionary(key => key, key => weights.Read(key, dataType, device));
    }
}

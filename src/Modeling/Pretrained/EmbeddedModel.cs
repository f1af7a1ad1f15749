using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A pretrained model that came out of a model file: its weights live in memory, with no folder behind them.</summary>
/// <remarks>
/// The first owner of the weights. Every classifier on the <see cref="Model"/> is another; the weights are freed with the last. Thread-safe.
/// </remarks>
public sealed class EmbeddedModel : IDisposable
{
    private readonly IDisposable _owner;

    private EmbeddedModel(PretrainedModel model, IDisposable owner) => (Model, _owner) = (model, owner);

    /// <summary>The model; it can give out its weights while they have an owner.</summary>
    public PretrainedModel Model { get; }

    /// <summary>Reads weights that <see cref="PretrainedModel.WriteWeights"/> wrote.</summary>
    /// <param name="name">What the model is called.</param>
    /// <param name="config">Its architecture.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="card">Its recommendations.</param>
    /// <param name="weights">A seekable safetensors stream.</param>
    /// <exception cref="InvalidDataException">The stream is damaged or contradicts the configuration.</exception>
    public static EmbeddedModel Read(string name, EncoderConfig config, TextTokenizer tokenizer, ModelCard card, Stream weights)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = new CheckpointWeights(Checkpoint.Open(weights, name, leaveOpen: true), config);
        var stored = checkpoint.Entries.Keys.ToDictionary(key => key, checkpoint.Read);
        var embedded = new EmbeddedWeights(name, stored);
        var model = new PretrainedModel(name, config, tokenizer, card, embedded);
        foreach (var tensor in stored.Values) tensor.DetachFromDisposeScope();
        return new EmbeddedModel(model, embedded.Own());
    }

    /// <summary>Makes a model of weights that training left behind.</summary>
    /// <param name="name">What the model is called.</param>
    /// <param name="config">Its architecture.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="card">Its recommendations.</param>
    /// <param name="weights">Finite parameters by checkpoint key, on any device; they are copied to the CPU and stay the caller's.</param>
    /// <exception cref="InvalidDataException">The weights contradict the configuration.</exception>
    public static EmbeddedModel Of(
        string name, EncoderConfig config, TextTokenizer tokenizer, ModelCard card, IReadOnlyDictionary<string, Tensor> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var stored = weights.ToDictionary(weight => weight.Key, weight => weight.Value.detach().to(CPU, copy: true));
        var embedded = new EmbeddedWeights(name, stored);
        var model = new PretrainedModel(name, config, tokenizer, card, embedded);
        foreach (var tensor in stored.Values) tensor.DetachFromDisposeScope();
        return new EmbeddedModel(model, embedded.Own());
    }

    /// <summary>Gives up this owner's part.</summary>
    public void Dispose() => _owner.Dispose();
}

using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A decoder with its head: token ids in, one logit per vocabulary entry for what comes after each token out.</summary>
/// <remarks>Registered names are the checkpoint's. Logits are float32 or wider, whatever the weights are. Forward is thread-safe in evaluation mode.</remarks>
public sealed class CausalLanguageModel : nn.Module<CausalBatch, Tensor>
{
    private readonly Decoder _decoder;
    private readonly Parameter _head;

    /// <summary>Builds the network with parameters from <paramref name="source"/>, which stands at the root.</summary>
    public CausalLanguageModel(DecoderContext context, ParameterSource source) : base(nameof(CausalLanguageModel))
    {
        var config = context.Config;
        _decoder = new Decoder(context, source.Under(DecoderKeys.Prefix));
        register_module(DecoderKeys.Prefix, _decoder);
        _head = config.TieWordEmbeddings
            ? _decoder.TokenEmbeddings
            : source.Under(DecoderKeys.Head).Take("weight", [config.VocabularySize, config.HiddenSize], context.MatrixInitialization);
        // A tied head is already registered as the embedding.
        if (!config.TieWordEmbeddings) this.RegisterAt($"{DecoderKeys.Head}.weight", _head);
    }

    /// <summary>The linear maps that an adapter may target.</summary>
    public static IReadOnlyList<ProjectionShape> Slots(DecoderConfig config) => DecoderShapes.Slots(config);

    /// <summary>Logits for what follows every token, (batch, tokens, vocabulary); the caller owns them.</summary>
    public override Tensor forward(CausalBatch batch)
    {
        using var scope = NewDisposeScope();
        return Score(_decoder.forward(batch)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits (batch, tokens, vocabulary) and last hidden state (batch, tokens, hidden); the caller owns both.</summary>
    public (Tensor Logits, Tensor LastHiddenState) ForwardWithHiddenState(CausalBatch batch)
    {
        using var scope = NewDisposeScope();
        var hidden = _decoder.forward(batch);
        return (Score(hidden).MoveToOuterDisposeScope(), hidden.MoveToOuterDisposeScope());
    }

    /// <summary>Logits at chosen positions only: over a large vocabulary the head is expensive.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="positions">Flat indices row · tokens + token, (chosen), int64.</param>
    /// <returns>(chosen, vocabulary); the caller owns it.</returns>
    public Tensor ForwardAt(CausalBatch batch, Tensor positions)
    {
        using var scope = NewDisposeScope();
        return Score(_decoder.forward(batch).flatten(0, 1).index_select(0, positions)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits for what follows the last token of each row.</summary>
    /// <param name="batch">Rows that end together: padded on the left, if at all.</param>
    /// <param name="cache">Holds what stands before the batch, and afterwards the batch too; null for nothing.</param>
    /// <returns>(batch, vocabulary); the caller owns it.</returns>
    /// <exception cref="InvalidOperationException">The batch does not fit into the cache.</exception>
    public Tensor ForwardLast(CausalBatch batch, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var last = _decoder.Read(batch, cache).select(1, batch.TokenCount - 1);           // (batch, hidden)
        return Score(last).MoveToOuterDisposeScope();
    }

    // (…, hidden) → (…, vocabulary)
    private Tensor Score(Tensor hidden)
    {
        var logits = nn.functional.linear(hidden, _head);
        return logits.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? logits.to(float32) : logits;
    }
}

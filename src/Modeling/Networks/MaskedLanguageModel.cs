using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>An encoder with its masked-language-model head: token ids in, one logit per vocabulary entry out.</summary>
/// <remarks>Registered names are the checkpoint's. Forward is thread-safe in evaluation mode.</remarks>
public sealed class MaskedLanguageModel : nn.Module<TokenBatch, Tensor>
{
    private readonly Encoder _encoder;
    private readonly MaskedLanguageModelHead _head;

    /// <summary>Builds the network with parameters from <paramref name="source"/>, which stands at the root.</summary>
    public MaskedLanguageModel(NetworkContext context, ParameterSource source) : base(nameof(MaskedLanguageModel))
    {
        _encoder = new Encoder(context, source.Under(context.Config.CheckpointPrefix));
        _head = new MaskedLanguageModelHead(context, source, _encoder.WordEmbeddings);
        register_module(context.Config.CheckpointPrefix, _encoder);
        _head.RegisterIn(this);
    }

    /// <summary>Whether the parameter with this checkpoint key belongs to the language-model head.</summary>
    public static bool IsHeadKey(string key, EncoderConfig config) => config.Layout.LanguageModel.Holds(key);

    /// <summary>Logits for every token, (batch, tokens, vocabulary); the caller owns them.</summary>
    public override Tensor forward(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        return _head.forward(_encoder.forward(batch)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits (batch, tokens, vocabulary) and last hidden state (batch, tokens, hidden); the caller owns both.</summary>
    public (Tensor Logits, Tensor LastHiddenState) ForwardWithHiddenState(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        var hidden = _encoder.forward(batch);
        return (_head.forward(hidden).MoveToOuterDisposeScope(), hidden.MoveToOuterDisposeScope());
    }

    /// <summary>Last hidden state (batch, tokens, hidden), without the head; the caller owns it. Values at padding are meaningless.</summary>
    public Tensor Encode(TokenBatch batch) => _encoder.forward(batch);

    /// <summary>What the head makes of hidden states that <see cref="Encode"/> gave, this network's or another's: (…, hidden) → (…, vocabulary); the caller owns it.</summary>
    public Tensor Decode(Tensor hidden) => _head.forward(hidden);

    /// <summary>Logits at chosen positions only: the head is by far the most expensive part of a small model.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="positions">Flat indices row · tokens + token, (chosen), int64.</param>
    /// <returns>(chosen, vocabulary); the caller owns it.</returns>
    public Tensor ForwardAt(TokenBatch batch, Tensor positions)
    {
        using var scope = NewDisposeScope();
        var hidden = _encoder.forward(batch).flatten(0, 1).index_select(0, positions);
        return _head.forward(hidden).MoveToOuterDisposeScope();
    }
}

/// <summary>Dense, activation, norm, then a decoder that is the token embedding itself unless the checkpoint unties it.</summary>
/// <remarks><see cref="LanguageModelKeys"/> says what each family calls the parts.</remarks>
internal sealed class MaskedLanguageModelHead : nn.Module<Tensor, Tensor>
{
    private readonly NetworkContext _context;
    private readonly LanguageModelKeys _keys;
    private readonly LinearProjection _dense;
    private readonly LayerNormalization _norm;
    private readonly Parameter _decoder;
    private readonly Parameter _bias;

    public MaskedLanguageModelHead(NetworkContext context, ParameterSource root, Parameter wordEmbeddings) : base(nameof(MaskedLanguageModelHead))
    {
        var config = context.Config;
        _context = context;
        _keys = config.Layout.LanguageModel;
        _dense = new LinearProjection(root.Under(_keys.Dense), config.HiddenSize, config.EmbeddingSize, context.MatrixInitialization);
        _norm = new LayerNormalization(root.Under(_keys.Norm), config.EmbeddingSize, config.LayerNormEpsilon);
        _decoder = config.TieWordEmbeddings
            ? wordEmbeddings
            : root.Take(_keys.Decoder, [config.VocabularySize, config.EmbeddingSize], context.MatrixInitialization);
        _bias = root.Take(_keys.Bias, [config.VocabularySize], Initialization.Zeros);
    }

    /// <summary>Registers the parts under the names of the checkpoint; a tied decoder is already registered as the embedding.</summary>
    public void RegisterIn(nn.Module root)
    {
        root.RegisterAt(_keys.Dense, _dense);
        root.RegisterAt(_keys.Norm, _norm);
        root.RegisterAt(_keys.Bias, _bias);
        if (!_context.Config.TieWordEmbeddings) root.RegisterAt(_keys.Decoder, _decoder);
    }

    /// <summary>(…, hidden) → (…, vocabulary).</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var dense = _dense.forward(hidden);
        var activated = _keys.IsAlwaysGelu ? nn.functional.gelu(dense) : _context.Activate(dense);
        var transformed = _norm.forward(activated);
        return nn.functional.linear(transformed, _decoder, _bias).MoveToOuterDisposeScope();
    }
}

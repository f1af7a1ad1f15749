using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A decoder of any of the families: token ids in, one vector per token out.</summary>
/// <remarks>
/// Source: arXiv 2302.13971, section 2.2; <see cref="DecoderFamily"/> says how families differ. Registered names are the checkpoint's. Forward is
/// thread-safe in evaluation mode.
/// </remarks>
public sealed class Decoder : nn.Module<CausalBatch, Tensor>
{
    private readonly DecoderContext _context;
    private readonly EmbeddingTable _tokens;
    private readonly DecoderLayer[] _layers;
    private readonly RootMeanSquareNorm _norm;
    private readonly RotaryEmbedding _rotary;

    /// <summary>Builds the decoder with parameters from <paramref name="source"/>, which stands at "model".</summary>
    public Decoder(DecoderContext context, ParameterSource source) : base(nameof(Decoder))
    {
        var config = context.Config;
        _context = context;
        _rotary = new RotaryEmbedding(config);
        _tokens = new EmbeddingTable(source.Under(DecoderKeys.Embedding), config.VocabularySize, config.HiddenSize, context.MatrixInitialization);
        register_module(DecoderKeys.Embedding, _tokens);
        var layers = source.Under(DecoderKeys.Layers);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(n => new DecoderLayer(context, layers.Under($"{n}"), n))];
        for (var n = 0; n < _layers.Length; n++) this.RegisterAt($"{DecoderKeys.Layers}.{n}", _layers[n]);
        _norm = new RootMeanSquareNorm(source.Under(DecoderKeys.FinalNorm), config.HiddenSize, config.NormEpsilon);
        register_module(DecoderKeys.FinalNorm, _norm);
    }

    /// <summary>The token embedding matrix, (vocabulary, hidden): a tied head shares it.</summary>
    internal Parameter TokenEmbeddings => _tokens.Weight;

    /// <summary>The last hidden state, normalised, (batch, tokens, hidden); the caller owns it. Values at padding are meaningless.</summary>
    public override Tensor forward(CausalBatch batch) => Read(batch, cache: null);

    /// <summary>The same for tokens that follow those in the cache, which holds them too afterwards. Without gradients.</summary>
    /// <exception cref="InvalidOperationException">The batch does not fit into the cache.</exception>
    public Tensor Read(CausalBatch batch, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var hidden = _tokens.forward(batch.InputIds);                                     // (batch, tokens, hidden)
        var pass = DecoderPass.Of(batch, _rotary, _context.Config.SlidingWindow, hidden.dtype, cache);
        foreach (var layer in _layers) hidden = layer.forward(hidden, pass);
        cache?.Advance(batch.TokenCount);
        return _norm.forward(hidden).MoveToOuterDisposeScope();
    }
}

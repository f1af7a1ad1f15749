using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>An encoder of any of the families: token ids in, one vector per token out.</summary>
/// <remarks>
/// Post-norm transformer, arXiv 1810.04805 section 3; <see cref="ModelFamily"/> says how families differ. Registered names are the
/// checkpoint's. Forward is thread-safe in evaluation mode.
/// </remarks>
public sealed class Encoder : nn.Module<TokenBatch, Tensor>
{
    private readonly EncoderEmbeddings _embeddings;
    private readonly LinearProjection? _widening;
    private readonly EncoderStack _encoder;

    /// <summary>Builds the encoder with parameters from <paramref name="source"/>, which stands at the family's prefix, "roberta" for example.</summary>
    public Encoder(NetworkContext context, ParameterSource source) : base(nameof(Encoder))
    {
        var (config, layout) = (context.Config, context.Config.Layout);
        _embeddings = new EncoderEmbeddings(context, source.Under("embeddings"));
        register_module("embeddings", _embeddings);
        if (config.EmbeddingSize != config.HiddenSize)
        {
            _widening = new LinearProjection(
                source.Under(FamilyLayout.EmbeddingProjection), config.EmbeddingSize, config.HiddenSize, context.MatrixInitialization);
            register_module(FamilyLayout.EmbeddingProjection, _widening);
        }
        _encoder = new EncoderStack(context, source.Under(layout.Stack));
        register_module(layout.Stack, _encoder);
    }

    /// <summary>The token embedding matrix, (vocabulary, embedding): a tied language-model head shares it.</summary>
    internal Parameter WordEmbeddings => _embeddings.Words;

    /// <summary>The last hidden state, (batch, tokens, hidden); the caller owns it. Values at padding are meaningless.</summary>
    public override Tensor forward(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        return _encoder.forward(Embed(batch), Attended(batch)).MoveToOuterDisposeScope();
    }

    /// <summary>The hidden state before the first layer and after each: layers + 1 tensors (batch, tokens, hidden); the caller owns them.</summary>
    /// <remarks>The last is what <see cref="forward"/> gives. Values at padding are meaningless.</remarks>
    public IReadOnlyList<Tensor> ForwardAllLayers(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        var hidden = Embed(batch);
        Tensor[] states = [hidden, .. _encoder.ForwardEach(hidden, Attended(batch))];
        return Array.ConvertAll(states, state => state.MoveToOuterDisposeScope());
    }

    private Tensor Embed(TokenBatch batch)
    {
        var hidden = _embeddings.forward(batch);                                          // (batch, tokens, embedding)
        return _widening is null ? hidden : _widening.forward(hidden);                    // (batch, tokens, hidden)
    }

    // Broadcast over heads and queries.
    private static Tensor Attended(TokenBatch batch)
    {
        var attended = batch.Attended.view(batch.RowCount, 1, 1, batch.TokenCount);
        return batch.IsCausal
            ? attended & ones(batch.TokenCount, batch.TokenCount, dtype: @bool, device: attended.device).tril()
            : attended;
    }
}

/// <summary>Token and position embeddings, and those of token types where the family has them, added and normalised.</summary>
internal sealed class EncoderEmbeddings : nn.Module<TokenBatch, Tensor>
{
    private readonly NetworkContext _context;
    private readonly EmbeddingTable _words;
    private readonly EmbeddingTable _positions;
    private readonly EmbeddingTable? _tokenTypes;
    private readonly LayerNormalization _norm;

    public EncoderEmbeddings(NetworkContext context, ParameterSource source) : base(nameof(EncoderEmbeddings))
    {
        var config = context.Config;
        _context = context;
        var random = context.MatrixInitialization;
        _words = Table("word_embeddings", config.VocabularySize, random);
        _positions = Table("position_embeddings", config.MaxPositions, config.HasSinusoidalPositions ? Initialization.Sinusoids : random);
        if (config.Layout.HasTokenTypes) _tokenTypes = Table("token_type_embeddings", config.TypeVocabularySize, random);
        _norm = new LayerNormalization(source.Under("LayerNorm"), config.EmbeddingSize, config.LayerNormEpsilon);
        register_module("LayerNorm", _norm);

        EmbeddingTable Table(string key, int rows, Initialization initialization)
        {
            var table = new EmbeddingTable(source.Under(key), rows, config.EmbeddingSize, initialization);
            register_module(key, table);
            return table;
        }
    }

    public Parameter Words => _words.Weight;

    public override Tensor forward(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        var sum = _words.forward(batch.InputIds).add_(_positions.forward(batch.Positions));
        if (_tokenTypes is not null) sum.add_(_tokenTypes.forward(batch.TokenTypes));     // (batch, tokens, embedding)
        return _context.DropHidden(_norm.forward(sum), training).MoveToOuterDisposeScope();
    }
}

/// <summary>A table with one row per id.</summary>
internal sealed class EmbeddingTable : nn.Module<Tensor, Tensor>
{
    public EmbeddingTable(ParameterSource source, int rows, int width, Initialization initialization) : base(nameof(EmbeddingTable))
    {
        Weight = source.Take("weight", [rows, width], initialization);
        register_parameter("weight", Weight);
    }

    public Parameter Weight { get; }

    // (rows, tokens) → (rows, tokens, width)
    public override Tensor forward(Tensor ids)
    {
        using var flat = ids.view(-1);
        return Weight.index_select(0, flat).view(ids.shape[0], ids.shape[1], Weight.shape[1]);
    }
}

/// <summary>The layers, one after the other.</summary>
internal sealed class EncoderStack : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly EncoderLayer[] _layers;

    public EncoderStack(NetworkContext context, ParameterSource source) : base(nameof(EncoderStack))
    {
        var layers = source.Under("layer");
        _layers = [.. Enumerable.Range(0, context.Config.LayerCount).Select(n => new EncoderLayer(context, layers.Under($"{n}")))];
        for (var n = 0; n < _layers.Length; n++) this.RegisterAt($"layer.{n}", _layers[n]);
    }

    public override Tensor forward(Tensor hidden, Tensor attended)
    {
        using var scope = NewDisposeScope();
        foreach (var layer in _layers) hidden = layer.forward(hidden, attended);
        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary>What each layer gives, in their order; the caller owns them.</summary>
    public IEnumerable<Tensor> ForwardEach(Tensor hidden, Tensor attended)
    {
        foreach (var layer in _layers) yield return hidden = layer.forward(hidden, attended);
    }
}

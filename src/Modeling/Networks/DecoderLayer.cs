using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>One decoder layer: attention, then a gated feed-forward network, each of the normalised input and added to it.</summary>
/// <remarks>
/// Pre-norm, arXiv 2302.13971 section 2.2; grouped-query attention, arXiv 2305.13245; SwiGLU, arXiv 2002.05202. The seven linear slots are the
/// ones that TargetModules names; <see cref="DecoderShapes.Slots"/> lists them.
/// </remarks>
internal sealed class DecoderLayer : nn.Module<Tensor, DecoderPass, Tensor>
{
    private readonly DecoderContext _context;
    private readonly int _number;
    private readonly nn.Module<Tensor, Tensor> _query, _key, _value, _attentionOutput, _gate, _up, _down;
    private readonly RootMeanSquareNorm _inputNorm, _feedForwardNorm;

    public DecoderLayer(DecoderContext context, ParameterSource source, int number) : base(nameof(DecoderLayer))
    {
        var config = context.Config;
        (_context, _number) = (context, number);
        _inputNorm = Normalize(DecoderKeys.InputNorm);
        var slots = DecoderKeys.Slots.Zip(DecoderShapes.Slots(config), Fill).ToArray();
        (_query, _key, _value, _attentionOutput) = (slots[0], slots[1], slots[2], slots[3]);
        _feedForwardNorm = Normalize(DecoderKeys.FeedForwardNorm);
        (_gate, _up, _down) = (slots[4], slots[5], slots[6]);

        nn.Module<Tensor, Tensor> Fill(SlotKey slot, ProjectionShape shape)
        {
            var described = new ProjectionSlot(slot.Target, shape.Inputs, shape.Outputs, context.MatrixInitialization)
            {
                HasBias = DecoderShapes.HasBias(slot.Target, config),
            };
            var projection = context.Projections.Create(described, source.Under(slot.Key), context.Dropout);
            this.RegisterAt(slot.Key, projection);
            return projection;
        }

        RootMeanSquareNorm Normalize(string key)
        {
            var norm = new RootMeanSquareNorm(source.Under(key), config.HiddenSize, config.NormEpsilon);
            register_module(key, norm);
            return norm;
        }
    }

    public override Tensor forward(Tensor hidden, DecoderPass pass)
    {
        using var scope = NewDisposeScope();
        var attention = _attentionOutput.forward(Attend(_inputNorm.forward(hidden), pass));
        var mixed = hidden + attention;                                                   // (batch, tokens, hidden)

        var normalized = _feedForwardNorm.forward(mixed);
        var expanded = nn.functional.silu(_gate.forward(normalized)) * _up.forward(normalized);      // (batch, tokens, intermediate)
        return (mixed + _down.forward(expanded)).MoveToOuterDisposeScope();
    }

    private Tensor Attend(Tensor hidden, DecoderPass pass)
    {
        var query = RotaryEmbedding.Turn(SplitHeads(_query.forward(hidden)), pass.Cosines, pass.Sines);
        var key = RotaryEmbedding.Turn(SplitHeads(_key.forward(hidden)), pass.Cosines, pass.Sines);
        var value = SplitHeads(_value.forward(hidden));
        if (pass.Cache is not null) (key, value) = pass.Cache.With(_number, key, value);
        return JoinHeads(Mix(query, key, value, pass.Attended));
    }

    private Tensor Mix(Tensor query, Tensor key, Tensor value, Tensor attended)
    {
        var config = _context.Config;
        var dropout = training ? config.AttentionDropout : 0;
        var sharing = config.HeadCount / config.KeyValueHeadCount;
        if (query.shape[2] > 1)
            return Attention.Mix(query, Share(key, sharing), Share(value, sharing), attended, dropout, _context.Dropout);
        // A lone token's query heads that share a key head stand in line before it, as if they were tokens: no key is copied.
        var (rows, heads, head) = (query.shape[0], query.shape[1], query.shape[3]);
        var inLine = query.reshape(rows, heads / sharing, sharing, head);
        return Attention.Mix(inLine, key, value, attended, dropout, _context.Dropout).reshape(rows, heads, 1, head);
    }

    // Each key head once for every query head that shares it.
    private static Tensor Share(Tensor x, int sharing) => sharing == 1 ? x : x.repeat_interleave(sharing, dim: 1);

    // (batch, tokens, heads · head) → (batch, heads, tokens, head)
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], -1, _context.Config.HeadSize).transpose(1, 2);

    // (batch, heads, tokens, head) → (batch, tokens, heads · head)
    private static Tensor JoinHeads(Tensor x) => x.transpose(1, 2).reshape(x.shape[0], x.shape[2], x.shape[1] * x.shape[3]);
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>One encoder layer: attention, then a two-layer feed-forward network, each added to its input and normalised.</summary>
/// <remarks>The six linear slots are the ones that TargetModules names; <see cref="NetworkShapes.Slots"/> lists them.</remarks>
internal sealed class EncoderLayer : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly NetworkContext _context;
    private readonly nn.Module<Tensor, Tensor> _query, _key, _value, _attentionOutput, _intermediate, _output;
    private readonly LayerNormalization _attentionNorm, _outputNorm;

    public EncoderLayer(NetworkContext context, ParameterSource source) : base(nameof(EncoderLayer))
    {
        var config = context.Config;
        var keys = config.Layout.Layer;
        _context = context;
        _query = Fill(keys.Query);
        _key = Fill(keys.Key);
        _value = Fill(keys.Value);
        _attentionOutput = Fill(keys.AttentionOutput);
        _attentionNorm = Normalize(keys.AttentionNorm);
        _intermediate = Fill(keys.Intermediate);
        _output = Fill(keys.Output);
        _outputNorm = Normalize(keys.OutputNorm);

        nn.Module<Tensor, Tensor> Fill(SlotKey slot)
        {
            var shape = NetworkShapes.Slots(config).Single(shape => shape.Target == slot.Target);
            var described = new ProjectionSlot(slot.Target, shape.Inputs, shape.Outputs, context.MatrixInitialization);
            var projection = context.Projections.Create(described, source.Under(slot.Key), context.Dropout);
            this.RegisterAt(slot.Key, projection);
            return projection;
        }

        LayerNormalization Normalize(string key)
        {
            var norm = new LayerNormalization(source.Under(key), config.HiddenSize, config.LayerNormEpsilon);
            this.RegisterAt(key, norm);
            return norm;
        }
    }

    public override Tensor forward(Tensor hidden, Tensor attended)
    {
        using var scope = NewDisposeScope();
        var attention = _attentionOutput.forward(Attend(hidden, attended));
        if (_context.Config.Layout.DropsAttentionOutput) attention = _context.DropHidden(attention, training);
        var mixed = _attentionNorm.forward(attention + hidden);                           // (batch, tokens, hidden)

        var expanded = _context.Activate(_intermediate.forward(mixed));                   // (batch, tokens, intermediate)
        var contracted = _context.DropHidden(_output.forward(expanded), training);
        return _outputNorm.forward(contracted + mixed).MoveToOuterDisposeScope();
    }

    private Tensor Attend(Tensor hidden, Tensor attended)
    {
        var query = SplitHeads(_query.forward(hidden));
        var key = SplitHeads(_key.forward(hidden));
        var value = SplitHeads(_value.forward(hidden));

        var dropout = training ? _context.Config.AttentionDropout : 0;
        return JoinHeads(Attention.Mix(query, key, value, attended, dropout, _context.Dropout));
    }

    // (batch, tokens, hidden) → (batch, heads, tokens, head)
    private Tensor SplitHeads(Tensor x) =>
        x.view(x.shape[0], x.shape[1], _context.Config.HeadCount, _context.Config.HeadSize).transpose(1, 2);

    // (batch, heads, tokens, head) → (batch, tokens, hidden)
    private Tensor JoinHeads(Tensor x) =>
        x.transpose(1, 2).reshape(x.shape[0], x.shape[2], _context.Config.HiddenSize);
}

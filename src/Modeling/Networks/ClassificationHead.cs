using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>From the first token's vector to one logit per class, the way each family's checkpoints do it.</summary>
/// <remarks>
/// Two linear maps with an activation between and dropout before the second, in some families before the first too.
/// <see cref="ClassificationKeys"/> says which.
/// </remarks>
internal sealed class ClassificationHead : nn.Module<Tensor, Tensor>
{
    private readonly NetworkContext _context;
    private readonly ClassificationKeys _keys;
    private readonly LinearProjection _dense;
    private readonly LinearProjection _classes;

    public ClassificationHead(NetworkContext context, ParameterSource root, int classCount) : base(nameof(ClassificationHead))
    {
        var config = context.Config;
        _context = context;
        _keys = config.Layout.Classification;
        _dense = new LinearProjection(root.Under(_keys.Dense), config.HiddenSize, config.HiddenSize, context.MatrixInitialization);
        _classes = new LinearProjection(root.Under(_keys.Classes), config.HiddenSize, classCount, context.MatrixInitialization);
    }

    /// <summary>Rows of further classes, drawn as those of a new head are.</summary>
    public static Dictionary<string, Tensor> DrawClasses(EncoderConfig config, int count, Device device, Generator generator)
    {
        var classes = config.Layout.Classification.Classes;
        return new()
        {
            [classes + ".weight"] = Initialization.Normal(config.InitializerRange).Draw([count, config.HiddenSize], device, generator),
            [classes + ".bias"] = Initialization.Zeros.Draw([count], device, generator),
        };
    }

    /// <summary>Registers the two maps under the names of the checkpoint, which may lie in different places.</summary>
    public void RegisterIn(nn.Module root)
    {
        root.RegisterAt(_keys.Dense, _dense);
        root.RegisterAt(_keys.Classes, _classes);
    }

    /// <summary>(batch, hidden) → (batch, classes).</summary>
    public override Tensor forward(Tensor firstToken)
    {
        using var scope = NewDisposeScope();
        var pooled = Activate(_dense.forward(_keys.DropsInput ? Drop(firstToken) : firstToken));
        return _classes.forward(Drop(pooled)).MoveToOuterDisposeScope();
    }

    private Tensor Activate(Tensor x) => _keys.Activation switch
    {
        PoolingActivation.Tanh => x.tanh(),
        PoolingActivation.Relu => x.relu(),
        PoolingActivation.Gelu => nn.functional.gelu(x),
        _ => throw new InvalidDataException($"The head's activation {_keys.Activation} has no formula here."),
    };

    private Tensor Drop(Tensor x) =>
        _context.Drop(x, _context.Config.ClassifierDropout ?? _context.Config.HiddenDropout, training);
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>From the first token's vector to one logit per class, the way each family's checkpoints do it.</summary>
/// <remarks>
/// RoBERTa: "classifier.dense", tanh, "classifier.out_proj". BERT: "bert.pooler.dense", tanh, "classifier". Dropout before each linear map
/// where the family has it. Source: Hugging Face's RobertaClassificationHead and BertForSequenceClassification.
/// </remarks>
internal sealed class ClassificationHead : nn.Module<Tensor, Tensor>
{
    private readonly NetworkContext _context;
    private readonly LinearProjection _dense;
    private readonly LinearProjection _classes;

    public ClassificationHead(NetworkContext context, ParameterSource root, int classCount) : base(nameof(ClassificationHead))
    {
        var config = context.Config;
        _context = context;
        (DenseKey, ClassesKey) = Keys(config.Family);
        _dense = new LinearProjection(root.Under(DenseKey), config.HiddenSize, config.HiddenSize, context.MatrixInitialization);
        _classes = new LinearProjection(root.Under(ClassesKey), config.HiddenSize, classCount, context.MatrixInitialization);
    }

    private string DenseKey { get; }

    private string ClassesKey { get; }

    /// <summary>Whether the parameter with this checkpoint key belongs to the head: it is trained densely by every method.</summary>
    public static bool IsHeadKey(string key, ModelFamily family)
    {
        var (dense, classes) = Keys(family);
        return key.StartsWith(dense + ".", StringComparison.Ordinal) || key.StartsWith(classes + ".", StringComparison.Ordinal);
    }

    /// <summary>The checkpoint key of the matrix with one row per class.</summary>
    public static string ClassesWeightKey(ModelFamily family) => Keys(family).Classes + ".weight";

    /// <summary>Rows of further classes, drawn as those of a new head are.</summary>
    public static Dictionary<string, Tensor> DrawClasses(EncoderConfig config, int count, Device device, Generator generator)
    {
        var classes = Keys(config.Family).Classes;
        return new()
        {
            [classes + ".weight"] = Initialization.Normal(config.InitializerRange).Draw([count, config.HiddenSize], device, generator),
            [classes + ".bias"] = Initialization.Zeros.Draw([count], device, generator),
        };
    }

    /// <summary>Registers the two maps under the names of the checkpoint, which for BERT lie in different places.</summary>
    public void RegisterIn(nn.Module root)
    {
        root.RegisterAt(DenseKey, _dense);
        root.RegisterAt(ClassesKey, _classes);
    }

    /// <summary>(batch, hidden) → (batch, classes).</summary>
    public override Tensor forward(Tensor firstToken)
    {
        using var scope = NewDisposeScope();
        var isRoberta = _context.Config.Family is ModelFamily.Roberta;
        var pooled = _dense.forward(isRoberta ? Drop(firstToken) : firstToken).tanh_();
        return _classes.forward(Drop(pooled)).MoveToOuterDisposeScope();
    }

    private Tensor Drop(Tensor x) =>
        _context.Drop(x, _context.Config.ClassifierDropout ?? _context.Config.HiddenDropout, training);

    private static (string Dense, string Classes) Keys(ModelFamily family) => family switch
    {
        ModelFamily.Roberta => ("classifier.dense", "classifier.out_proj"),
        ModelFamily.Bert => ("bert.pooler.dense", "classifier"),
        _ => throw new InvalidDataException($"{family} has no classification head here."),
    };
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>An encoder with a classification head: token ids in, one logit per class out.</summary>
/// <remarks>Registered names are the checkpoint's. Forward is thread-safe in evaluation mode.</remarks>
public sealed class SequenceClassifier : nn.Module<TokenBatch, Tensor>
{
    private readonly Encoder _encoder;
    private readonly ClassificationHead _head;

    /// <summary>Builds the network with parameters from <paramref name="source"/>, which stands at the root.</summary>
    /// <param name="context">Sizes, projections, dropout.</param>
    /// <param name="source">Where the parameters come from.</param>
    /// <param name="classCount">Two or more.</param>
    public SequenceClassifier(NetworkContext context, ParameterSource source, int classCount) : base(nameof(SequenceClassifier))
    {
        _encoder = new Encoder(context, source.Under(context.Config.CheckpointPrefix));
        _head = new ClassificationHead(context, source, classCount);
        register_module(context.Config.CheckpointPrefix, _encoder);
        _head.RegisterIn(this);
    }

    /// <summary>The part beneath the head; it stays this network's.</summary>
    internal Encoder Encoder => _encoder;

    /// <summary>Whether the parameter with this checkpoint key belongs to the head (for BERT: the pooler too).</summary>
    public static bool IsHeadKey(string key, EncoderConfig config) => config.Layout.Classification.Holds(key);

    /// <summary>The head's rows of further classes, as a new network draws them; the caller owns them.</summary>
    /// <param name="config">Of the network.</param>
    /// <param name="count">How many classes, 1 or more.</param>
    /// <param name="device">Where the rows shall be; they are drawn on the CPU.</param>
    /// <param name="generator">A CPU generator.</param>
    /// <returns>Weight (classes, hidden) and bias (classes), by checkpoint key.</returns>
    public static Dictionary<string, Tensor> DrawClasses(EncoderConfig config, int count, Device device, Generator generator)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return ClassificationHead.DrawClasses(config, count, device, generator);
    }

    /// <summary>The encoder's linear slots that an adapter may target, the same in every layer.</summary>
    public static IReadOnlyList<ProjectionShape> Slots(EncoderConfig config) => NetworkShapes.Slots(config);

    /// <summary>A base's weights as a classifier for certain classes starts from them: with the base's own head in their order, or without.</summary>
    /// <param name="weights">A base's weights by checkpoint key, perhaps with a classification head among them; the caller keeps ownership.</param>
    /// <param name="config">The base's sizes.</param>
    /// <param name="rows">Which row of the base's head stands for each class; null leaves that head out, to be drawn anew.</param>
    /// <returns>The same tensors; those that were put in order are new and belong to the caller's dispose scope.</returns>
    public static IReadOnlyDictionary<string, Tensor> StartingWeights(
        IReadOnlyDictionary<string, Tensor> weights, EncoderConfig config, IReadOnlyList<int>? rows)
    {
        var head = config.Layout.Classification;
        var starting = weights.Where(weight => rows is not null || CheckpointKeys.IsBaseKey(weight.Key, config)).ToDictionary();
        if (rows is null) return starting;
        using var _ = no_grad();
        foreach (var key in (string[])[head.ClassesWeight, head.ClassesBias])
        {
            using var order = tensor([.. rows.Select(row => (long)row)], dtype: int64, device: weights[key].device);
            starting[key] = weights[key].index_select(0, order);
        }
        return starting;
    }

    /// <summary>Every linear slot of the encoder by the checkpoint key of its matrix, without ".weight", in the order in which it is used.</summary>
    public static IReadOnlyList<KeyValuePair<string, ProjectionShape>> Matrices(EncoderConfig config) => NetworkShapes.Projections(config);

    /// <summary>Logits, (batch, classes); the caller owns them.</summary>
    public override Tensor forward(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        var (logits, _) = Run(batch);
        return logits.MoveToOuterDisposeScope();
    }

    /// <summary>Logits (batch, classes) and last hidden state (batch, tokens, hidden); the caller owns both.</summary>
    public (Tensor Logits, Tensor LastHiddenState) ForwardWithHiddenState(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        var (logits, hidden) = Run(batch);
        return (logits.MoveToOuterDisposeScope(), hidden.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public override void train(bool train = true)
    {
        base.train(train);
        _head.train(train);     // registered piecewise, so the base class does not reach it
    }

    private (Tensor Logits, Tensor Hidden) Run(TokenBatch batch)
    {
        var hidden = _encoder.forward(batch);                          // (batch, tokens, hidden)
        return (_head.forward(hidden.select(1, 0)), hidden);           // the first token speaks for the row
    }
}

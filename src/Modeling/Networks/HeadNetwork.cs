using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A family's classification head alone, over first-token vectors that were computed before.</summary>
/// <remarks>Registered names are the checkpoint's. Forward is thread-safe in evaluation mode.</remarks>
public sealed class HeadNetwork : nn.Module<Tensor, Tensor>
{
    private readonly ClassificationHead _head;

    /// <summary>Builds the head with parameters from <paramref name="source"/>, which stands at the root.</summary>
    /// <param name="context">Sizes and dropout.</param>
    /// <param name="source">Where the parameters come from: what it lacks is drawn, as in a new classifier.</param>
    /// <param name="classCount">Two or more.</param>
    public HeadNetwork(NetworkContext context, ParameterSource source, int classCount) : base(nameof(HeadNetwork))
    {
        _head = new ClassificationHead(context, source, classCount);
        _head.RegisterIn(this);
    }

    /// <summary>First-token vectors (batch, hidden) to logits (batch, classes); the caller owns them.</summary>
    public override Tensor forward(Tensor firstTokens) => _head.forward(firstTokens);

    /// <inheritdoc/>
    public override void train(bool train = true)
    {
        base.train(train);
        _head.train(train);     // registered piecewise, so the base class does not reach it
    }
}

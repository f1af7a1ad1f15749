using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>How surprised a causal language model is by its texts: cross-entropy of each token given those before it, in nats.</summary>
public static class NextTokenLoss
{
    /// <summary>The mean over all labels that count.</summary>
    /// <param name="logits">(batch, tokens, vocabulary).</param>
    /// <param name="labels">
    /// (batch, tokens), int64, in place: the label of a token is compared with what the token before it predicts, so those of first tokens are
    /// never used. <see cref="CausalBatch.Ignored"/> counts for nothing; where all do, the mean is not a number.
    /// </param>
    /// <returns>A scalar that carries gradients; the caller owns it.</returns>
    public static Tensor Mean(Tensor logits, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var predictions = logits.narrow(1, 0, logits.shape[1] - 1).flatten(0, 1);
        var wanted = labels.narrow(1, 1, labels.shape[1] - 1).flatten();
        return nn.functional.cross_entropy(predictions, wanted, ignore_index: CausalBatch.Ignored).MoveToOuterDisposeScope();
    }
}

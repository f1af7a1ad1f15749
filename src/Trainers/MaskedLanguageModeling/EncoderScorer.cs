using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>Text rows in, vectors and perhaps losses out. Owns the embedder.</summary>
internal sealed class EncoderScorer(TextEmbedder embedder, int maxTokens, bool withLoss) : ITextScorer, IDisposable
{
    /// <summary>One token in seven is hidden at a time: the share, 0.15, that models are pretrained with.</summary>
    private const int LossPasses = 7;

    public int ClassCount => embedder.Model.Config.HiddenSize + (withLoss ? 1 : 0);

    public PretrainedModel Model => embedder.Model;

    public void Score(ReadOnlySpan<TextRow> rows, Span<float> scores)
    {
        var encoded = new EncodedText[rows.Length];
        for (var r = 0; r < rows.Length; r++) encoded[r] = embedder.Model.Tokenizer.Encode(rows[r].First, null, maxTokens);

        var width = embedder.Model.Config.HiddenSize;
        var vectors = embedder.Embed(encoded);
        var losses = withLoss ? embedder.MeanLosses(encoded, LossPasses) : [];
        for (var r = 0; r < rows.Length; r++)
        {
            vectors.AsSpan(r * width, width).CopyTo(scores[(r * ClassCount)..]);
            if (withLoss) scores[(r + 1) * ClassCount - 1] = losses[r];
        }
    }

    public void Dispose() => embedder.Dispose();
}

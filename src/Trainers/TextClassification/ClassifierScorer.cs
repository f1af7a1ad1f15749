using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>Text rows in, scores out: the tokenizer, the network and the score's kind together. Owns the classifier.</summary>
internal sealed class ClassifierScorer(TextClassifier classifier, ScoreKind kind) : ITextScorer, IDisposable
{
    public int ClassCount => classifier.Description.ClassCount;

    public TextClassifier Classifier => classifier;

    public void Score(ReadOnlySpan<TextRow> rows, Span<float> scores)
    {
        var description = classifier.Description;
        var encoded = new EncodedText[rows.Length];
        for (var r = 0; r < rows.Length; r++)
            encoded[r] = description.Base.Tokenizer.Encode(rows[r].First, rows[r].Second, description.MaxTokens);

        classifier.Score(encoded).CopyTo(scores);
        if (kind is ScoreKind.Logit) return;
        for (var r = 0; r < rows.Length; r++) Softmax.Apply(scores.Slice(r * ClassCount, ClassCount));
    }

    public void Dispose() => classifier.Dispose();
}

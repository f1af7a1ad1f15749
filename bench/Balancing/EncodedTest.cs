using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Bench.Balancing;

/// <summary>Test rows, encoded once for every state of a model.</summary>
internal sealed record EncodedTest(IReadOnlyList<EncodedText> Texts, IReadOnlyList<int> Classes)
{
    public static EncodedTest Read(IDataView test, IReadOnlyList<string> classNames, ClassifierDescription description)
    {
        var places = classNames.Index().ToDictionary(name => name.Item, name => name.Index);
        return new EncodedTest(
            [.. test.GetColumn<string>(nameof(BalanceTask.Row.Text)).Select(text => description.Base.Tokenizer.Encode(text, null, description.MaxTokens))],
            // A class that training never saw is one that no answer is right for.
            [.. test.GetColumn<string>(nameof(BalanceTask.Row.Class)).Select(name => places.GetValueOrDefault(name, -1))]);
    }

    /// <summary>Share of the rows named rightly.</summary>
    public double Accuracy(TextClassifier classifier, int batchSize)
    {
        var (classes, right) = (classifier.Description.ClassCount, 0);
        foreach (var batch in Enumerable.Range(0, Texts.Count).Chunk(batchSize))
        {
            var logits = classifier.Score([.. batch.Select(row => Texts[row])]);
            right += batch.Index().Count(row =>
            {
                var scores = logits.AsSpan(row.Index * classes, classes);
                return scores.IndexOf(scores.ToArray().Max()) == Classes[row.Item];
            });
        }
        return (double)right / Texts.Count;
    }
}

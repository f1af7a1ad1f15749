using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>Learning to name the class of each row.</summary>
internal sealed class ClassificationTask(
    SequenceClassifier network, EncoderConfig config, EncodedRows training, EncodedRows validation, double[] classWeights, int batchSize,
    Device device) : ITrainingTask, IDisposable
{
    private readonly Tensor _classWeights =
        tensor(Array.ConvertAll(classWeights, weight => (float)weight), dtype: float32, device: device).DetachFromDisposeScope();

    public nn.Module Network => network;

    public int RowCount => training.Count;

    public double WeightOf(ReadOnlySpan<int> rows)
    {
        double weight = 0;
        foreach (var row in rows) weight += classWeights[training.Classes[row]];
        return weight;
    }

    public Tensor SummedLoss(ReadOnlySpan<int> rows)
    {
        var texts = new EncodedText[rows.Length];
        var classes = new long[rows.Length];
        for (var r = 0; r < rows.Length; r++) (texts[r], classes[r]) = (training.Texts[rows[r]], training.Classes[rows[r]]);

        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(texts, config, device);
        var wanted = tensor(classes, dtype: int64, device: device);
        return nn.functional.cross_entropy(network.forward(batch), wanted, weight: _classWeights, reduction: nn.Reduction.Sum)
            .MoveToOuterDisposeScope();
    }

    public ValidationOutcome? Validate(Action checkCancelled)
    {
        if (validation.Count == 0) return null;
        network.eval();
        using var _ = no_grad();
        var counts = new ClassificationCounts(classWeights.Length);
        foreach (var rows in Enumerable.Range(0, validation.Count).Chunk(batchSize))
        {
            checkCancelled();
            using var scope = NewDisposeScope();
            using var batch = TokenBatch.Create([.. rows.Select(row => validation.Texts[row])], config, device);
            var logits = network.forward(batch).cpu().data<float>().ToArray();
            for (var r = 0; r < rows.Length; r++)
                counts.Add(logits.AsSpan(r * classWeights.Length, classWeights.Length), validation.Classes[rows[r]]);
        }
        return counts.Outcome();
    }

    public void Dispose() => _classWeights.Dispose();
}

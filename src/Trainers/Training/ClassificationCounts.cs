namespace MLNetLoRA.Trainers;

/// <summary>Counts right and wrong answers over any number of batches of any size.</summary>
internal sealed class ClassificationCounts(int classCount)
{
    private readonly long[] _rows = new long[classCount];
    private readonly long[] _right = new long[classCount];
    private double _summedLoss;

    /// <summary>Adds one row.</summary>
    /// <param name="logits">One number per class.</param>
    /// <param name="truth">Its class, 0-based.</param>
    public void Add(ReadOnlySpan<float> logits, int truth)
    {
        _rows[truth]++;
        if (Softmax.ArgMax(logits) == truth) _right[truth]++;
        _summedLoss += Softmax.LogSumExp(logits) - logits[truth];
    }

    /// <summary>The means over all rows added.</summary>
    public ValidationOutcome Outcome()
    {
        var present = Enumerable.Range(0, classCount).Where(c => _rows[c] > 0).ToArray();
        long rows = _rows.Sum();
        return new ValidationOutcome(
            _summedLoss / rows,
            (double)_right.Sum() / rows,
            present.Average(c => (double)_right[c] / _rows[c]));
    }
}

using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>Guessing masked tokens: the task that encoders are pretrained on.</summary>
/// <remarks>
/// Source: arXiv 1810.04805, section 3.1, with masks drawn anew each time a window is seen (arXiv 1907.11692). The number of masked tokens
/// of a window is its share rounded, never 0, so the weight of a step is known before it runs.
/// </remarks>
internal sealed class MaskedLanguageModelTask(
    MaskedLanguageModel network, PretrainedModel model, IReadOnlyList<EncodedText> training, IReadOnlyList<EncodedText> heldOut,
    double maskedShare, double causalShare, int batchSize, FitRandomness randomness, Device device) : ITrainingTask
{
    // Validation draws its masks from here at every call: the same masks, whatever training drew in between.
    private const ulong HeldOutSeed = 0x5EED;

    public nn.Module Network => network;

    public int RowCount => training.Count;

    public double WeightOf(ReadOnlySpan<int> rows)
    {
        double guessed = 0;
        for (var start = 0; start < rows.Length; start += batchSize)
        {
            var pass = rows[start..Math.Min(start + batchSize, rows.Length)];
            var causal = CausalCount(pass.Length);
            foreach (var row in pass[..causal]) guessed += GuessableCount(training[row]);
            foreach (var row in pass[causal..]) guessed += MaskedCount(training[row]);
        }
        return guessed;
    }

    public Tensor SummedLoss(ReadOnlySpan<int> rows)
    {
        using var scope = NewDisposeScope();
        var windows = new EncodedText[rows.Length];
        for (var r = 0; r < rows.Length; r++) windows[r] = training[rows[r]];
        var causal = CausalCount(rows.Length);
        var losses = new List<Tensor>();
        if (causal > 0) losses.Add(SummedCausalLoss(windows[..causal]));
        if (causal < windows.Length) losses.Add(SummedLoss(windows[causal..], randomness.Generator));
        return losses.Aggregate((sum, loss) => sum + loss).MoveToOuterDisposeScope();
    }

    public ValidationOutcome? Validate(Action checkCancelled)
    {
        if (heldOut.Count == 0) return null;
        var (loss, _) = MeanLoss(heldOut, checkCancelled);
        return new ValidationOutcome(loss, null, null);
    }

    /// <summary>Mean loss in nats over masked tokens, and how many there were; the same masks at every call.</summary>
    public (double Loss, long Tokens) MeanLoss(IReadOnlyList<EncodedText> windows, Action checkCancelled)
    {
        network.eval();
        using var _ = no_grad();
        using var generator = new Generator(HeldOutSeed, CPU);
        double summed = 0;
        foreach (var batch in windows.Chunk(batchSize))
        {
            checkCancelled();
            using var scope = NewDisposeScope();
            summed += SummedLoss(batch, generator).item<float>();
        }
        var tokens = windows.Sum(window => (long)MaskedCount(window));
        return (summed / tokens, tokens);
    }

    private Tensor SummedLoss(EncodedText[] windows, Generator generator)
    {
        using var scope = NewDisposeScope();
        var (masked, positions, labels) = Mask(windows, generator);
        using var batch = TokenBatch.Create(masked, model.Config, device);
        return SummedLoss(batch, positions, labels).MoveToOuterDisposeScope();
    }

    // Of the chosen tokens 80 % become the mask, 10 % a random token, 10 % stay: so the model must form an opinion on every token.
    internal (EncodedText[] Masked, long[] Positions, long[] Labels) Mask(EncodedText[] windows, Generator generator)
    {
        var longest = windows.Max(window => window.Ids.Length);
        var choice = Draw(windows.Length * longest, generator);
        var fate = Draw(windows.Length * longest, generator);
        var masked = new EncodedText[windows.Length];
        var positions = new List<long>();
        var labels = new List<long>();
        for (var w = 0; w < windows.Length; w++)
        {
            var ids = (int[])windows[w].Ids.Clone();
            var first = w * longest;
            var guessable = Enumerable.Range(0, ids.Length).Where(t => !model.Tokenizer.IsSpecial(ids[t]));
            foreach (var t in guessable.OrderBy(t => choice[first + t]).Take(MaskedCount(windows[w])))
            {
                positions.Add(first + t);
                labels.Add(ids[t]);
                ids[t] = fate[first + t] switch
                {
                    < 0.8 => model.Tokenizer.MaskId,
                    < 0.9 => (int)((fate[first + t] - 0.8) * 10 * model.Tokenizer.VocabularySize),
                    _ => ids[t],
                };
            }
            masked[w] = windows[w] with { Ids = ids };
        }
        return (masked, [.. positions], [.. labels]);
    }

    // Rows come in random order, so the first of a pass are a random choice.
    private int CausalCount(int rows) => (int)Math.Round(causalShare * rows);

    private Tensor SummedCausalLoss(EncodedText[] windows)
    {
        using var scope = NewDisposeScope();
        var longest = windows.Max(window => window.Ids.Length);
        var positions = new List<long>();
        var labels = new List<long>();
        for (var w = 0; w < windows.Length; w++)
        {
            for (var t = 1; t < windows[w].Ids.Length; t++)
            {
                if (model.Tokenizer.IsSpecial(windows[w].Ids[t])) continue;
                positions.Add(w * longest + t - 1);
                labels.Add(windows[w].Ids[t]);
            }
        }
        using var batch = TokenBatch.Create(windows, model.Config, device, isCausal: true);
        return SummedLoss(batch, [.. positions], [.. labels]).MoveToOuterDisposeScope();
    }

    private Tensor SummedLoss(TokenBatch batch, long[] positions, long[] labels)
    {
        using var scope = NewDisposeScope();
        var logits = network.ForwardAt(batch, tensor(positions, dtype: int64, device: device));          // (guessed, vocabulary)
        var wanted = tensor(labels, dtype: int64, device: device);
        return nn.functional.cross_entropy(logits, wanted, reduction: nn.Reduction.Sum).MoveToOuterDisposeScope();
    }

    private int GuessableCount(EncodedText window) => window.Ids.Count(id => !model.Tokenizer.IsSpecial(id));

    private int MaskedCount(EncodedText window)
    {
        var guessable = GuessableCount(window);
        return Math.Clamp((int)Math.Round(maskedShare * guessable), Math.Min(1, guessable), guessable);
    }

    private static double[] Draw(int count, Generator generator)
    {
        using var drawn = rand(count, dtype: float64, device: CPU, generator: generator);
        return drawn.data<double>().ToArray();
    }
}

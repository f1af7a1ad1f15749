using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>Guessing masked tokens, and perhaps each next token: the task that encoders are pretrained on.</summary>
/// <remarks>
/// Source: arXiv 1810.04805, section 3.1, with masks drawn anew each time a window is seen (arXiv 1907.11692). A window weighs as many tokens
/// as its share says, rounded, never 0, so the weight of a step is known before it runs. Whole words seldom come out at that number; then
/// each of their tokens counts a little more or less.
/// </remarks>
internal sealed class MaskedLanguageModelTask(
    MaskedLanguageModel network, PretrainedModel model, IReadOnlyList<EncodedText> training, IReadOnlyList<EncodedText> heldOut,
    WindowGuessing guessing, int batchSize, FitRandomness randomness, Device device) : ITrainingTask
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
        var masked = Mask(windows, generator);
        using var batch = TokenBatch.Create(masked.Windows, model.Config, device);
        var weights = guessing.WholeWords ? masked.Weights : null;
        // It teaches, it does not judge: held-out losses are those of the masked tokens alone.
        return guessing.BagOfWordsWeight > 0 && network.training
            ? SummedLossWithWords(windows, batch, masked, weights).MoveToOuterDisposeScope()
            : SummedLoss(batch, masked.Positions, masked.Labels, weights).MoveToOuterDisposeScope();
    }

    private Tensor SummedLossWithWords(EncodedText[] windows, TokenBatch batch, MaskedWindows masked, float[]? weights)
    {
        using var scope = NewDisposeScope();
        var firstTokens = Enumerable.Range(0, windows.Length).Select(w => w * batch.TokenCount);
        long[] positions = [.. masked.Positions, .. firstTokens];
        var logits = network.ForwardAt(batch, tensor(positions, dtype: int64, device: device));          // (guessed + windows, vocabulary)
        var guesses = SummedCrossEntropy(logits.narrow(0, 0, masked.Positions.Length), masked.Labels, weights);
        var words = SummedWordsLoss(windows, logits.narrow(0, masked.Positions.Length, windows.Length));
        return guesses.add(words, alpha: guessing.BagOfWordsWeight).MoveToOuterDisposeScope();
    }

    /// <summary>Mean −ln p of a window's distinct words under its first token's logits, times as many as the window has masked tokens; summed.</summary>
    private Tensor SummedWordsLoss(EncodedText[] windows, Tensor logits)
    {
        using var scope = NewDisposeScope();
        var cells = new List<long>();
        var weights = new List<float>();
        for (var w = 0; w < windows.Length; w++)
        {
            var words = windows[w].Ids.Where(id => !model.Tokenizer.IsSpecial(id)).Distinct().ToArray();
            cells.AddRange(words.Select(word => w * logits.shape[1] + word));
            weights.AddRange(Enumerable.Repeat((float)MaskedCount(windows[w]) / words.Length, words.Length));
        }
        var chosen = nn.functional.log_softmax(logits, 1).view(-1).index_select(0, tensor(cells.ToArray(), dtype: int64, device: device));
        return chosen.dot(tensor(weights.ToArray(), dtype: float32, device: device)).neg().MoveToOuterDisposeScope();
    }

    // Of the chosen tokens 80 % become the mask, 10 % a random token, 10 % stay: so the model must form an opinion on every token.
    internal MaskedWindows Mask(EncodedText[] windows, Generator generator)
    {
        var longest = windows.Max(window => window.Ids.Length);
        var choice = Draw(windows.Length * longest, generator);
        var fate = Draw(windows.Length * longest, generator);
        var masked = new EncodedText[windows.Length];
        var positions = new List<long>();
        var labels = new List<long>();
        var weights = new List<float>();
        for (var w = 0; w < windows.Length; w++)
        {
            var ids = (int[])windows[w].Ids.Clone();
            var first = w * longest;
            var count = MaskedCount(windows[w]);
            var chosen = Choose(ids, count, choice.AsSpan(first, ids.Length));
            foreach (var t in chosen)
            {
                positions.Add(first + t);
                labels.Add(ids[t]);
                weights.Add((float)count / chosen.Count);
                ids[t] = fate[first + t] switch
                {
                    < 0.8 => model.Tokenizer.MaskId,
                    < 0.9 => (int)((fate[first + t] - 0.8) * 10 * model.Tokenizer.VocabularySize),
                    _ => ids[t],
                };
            }
            masked[w] = windows[w] with { Ids = ids };
        }
        return new MaskedWindows(masked, [.. positions], [.. labels], [.. weights]);
    }

    /// <summary>Tokens or whole words in the order of their lots, as many as there is room for; a word that is too long gives way to the next.</summary>
    private List<int> Choose(int[] ids, int count, ReadOnlySpan<double> lots)
    {
        var units = Units(ids);
        var keys = new double[units.Count];
        for (var u = 0; u < keys.Length; u++) keys[u] = lots[units[u].Start];
        var order = Enumerable.Range(0, units.Count).OrderBy(u => keys[u]).ToList();
        var chosen = new List<int>(count);
        foreach (var u in order)
        {
            if (chosen.Count == count) break;
            if (chosen.Count + units[u].Length <= count) chosen.AddRange(Enumerable.Range(units[u].Start, units[u].Length));
        }
        // Where every word is longer than the share, one is still guessed.
        if (chosen.Count == 0 && order.Count > 0) chosen.AddRange(Enumerable.Range(units[order[0]].Start, units[order[0]].Length));
        return chosen;
    }

    // A special token ends a word and is none itself; the token after it begins one.
    private List<(int Start, int Length)> Units(int[] ids)
    {
        var units = new List<(int Start, int Length)>();
        for (var t = 0; t < ids.Length; t++)
        {
            if (model.Tokenizer.IsSpecial(ids[t])) continue;
            var continues = guessing.WholeWords && units.Count > 0 && units[^1].Start + units[^1].Length == t && !model.Tokenizer.StartsWord(ids[t]);
            if (continues) units[^1] = units[^1] with { Length = units[^1].Length + 1 };
            else units.Add((t, 1));
        }
        return units;
    }

    // Rows come in random order, so the first of a pass are a random choice.
    private int CausalCount(int rows) => (int)Math.Round(guessing.CausalShare * rows);

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
        return SummedLoss(batch, [.. positions], [.. labels], weights: null).MoveToOuterDisposeScope();
    }

    private Tensor SummedLoss(TokenBatch batch, long[] positions, long[] labels, float[]? weights)
    {
        using var scope = NewDisposeScope();
        var logits = network.ForwardAt(batch, tensor(positions, dtype: int64, device: device));          // (guessed, vocabulary)
        return SummedCrossEntropy(logits, labels, weights).MoveToOuterDisposeScope();
    }

    private Tensor SummedCrossEntropy(Tensor logits, long[] labels, float[]? weights)
    {
        using var scope = NewDisposeScope();
        var wanted = tensor(labels, dtype: int64, device: device);
        if (weights is null) return nn.functional.cross_entropy(logits, wanted, reduction: nn.Reduction.Sum).MoveToOuterDisposeScope();
        var losses = nn.functional.cross_entropy(logits, wanted, reduction: nn.Reduction.None);           // (guessed)
        return losses.dot(tensor(weights, dtype: float32, device: device)).MoveToOuterDisposeScope();
    }

    private int GuessableCount(EncodedText window) => window.Ids.Count(id => !model.Tokenizer.IsSpecial(id));

    private int MaskedCount(EncodedText window)
    {
        var guessable = GuessableCount(window);
        return Math.Clamp((int)Math.Round(guessing.MaskedShare * guessable), Math.Min(1, guessable), guessable);
    }

    private static double[] Draw(int count, Generator generator)
    {
        using var drawn = rand(count, dtype: float64, device: CPU, generator: generator);
        return drawn.data<double>().ToArray();
    }
}

/// <summary>Windows with tokens hidden, and what stood there.</summary>
/// <param name="Windows">As the model sees them.</param>
/// <param name="Positions">Flat indices window · longest + token of what has to be guessed.</param>
/// <param name="Labels">The ids that stood there.</param>
/// <param name="Weights">How many tokens each of them counts for.</param>
internal sealed record MaskedWindows(EncodedText[] Windows, long[] Positions, long[] Labels, float[] Weights);

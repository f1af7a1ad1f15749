using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary>How well a model guesses masked tokens of text that it has not seen, beside what word frequencies alone would give.</summary>
/// <param name="Source">The file's name without "heldout-".</param>
/// <param name="Tokens">How many tokens were masked and guessed.</param>
/// <param name="UnigramEntropy">
/// Entropy of the token frequencies in this very text, in nats: no guess that ignores context does better. The shorter the text, the more
/// this flatters frequencies, which are then counted from the text that they are tested on.
/// </param>
/// <param name="Loss">The model's mean loss on them, in nats.</param>
internal sealed record HeldOutLoss(string Source, int Tokens, double UnigramEntropy, double Loss)
{
    private const int MaxTokens = 128;
    private const int WindowsPerPass = 16;
    private const double MaskedShare = 0.15;

    public double Gain => UnigramEntropy - Loss;

    /// <summary>Masks 15 % of each window of up to 128 tokens, every one of them by the mask token; the same at every call.</summary>
    public static HeldOutLoss Measure(PretrainedModel model, string path)
    {
        var windows = Windows(model.Tokenizer, File.ReadLines(path));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var weights = SharedWeights.Acquire(model, CPU);
        var source = new ParameterSource(weights.Tensors, CPU, isTrainable: _ => false, generator: null);
        using var network = new MaskedLanguageModel(new NetworkContext(model.Config, new PlainProjections(), null), source);
        network.eval();

        var random = new Random(1);
        double summed = 0;
        var tokens = 0;
        foreach (var pass in windows.Chunk(WindowsPerPass))
        {
            var (masked, positions, labels) = Mask(model.Tokenizer, pass, random);
            tokens += labels.Length;
            summed += SummedLoss(network, model.Config, masked, positions, labels);
        }
        return new HeldOutLoss(Path.GetFileNameWithoutExtension(path).Replace("heldout-", ""), tokens, Entropy(model.Tokenizer, windows), summed / tokens);
    }

    private static double Entropy(TextTokenizer tokenizer, List<EncodedText> windows)
    {
        var counts = windows.SelectMany(window => window.Ids).Where(id => !tokenizer.IsSpecial(id)).CountBy(id => id).Select(pair => (double)pair.Value).ToList();
        var total = counts.Sum();
        return -counts.Sum(count => count / total * Math.Log(count / total));
    }

    private static List<EncodedText> Windows(TextTokenizer tokenizer, IEnumerable<string> paragraphs)
    {
        var windows = new List<EncodedText>();
        var pending = new List<int>();
        foreach (var paragraph in paragraphs.Where(line => line.Length > 0))
        {
            pending.AddRange(tokenizer.EncodeRaw(paragraph));
            pending.Add(tokenizer.SeparatorId);
            for (; pending.Count >= MaxTokens - 2; pending.RemoveRange(0, MaxTokens - 2))
                windows.Add(new EncodedText([tokenizer.ClassifyId, .. pending.Take(MaxTokens - 2), tokenizer.SeparatorId], null, WasTruncated: false));
        }
        return windows;
    }

    private static (EncodedText[] Masked, long[] Positions, long[] Labels) Mask(TextTokenizer tokenizer, EncodedText[] windows, Random random)
    {
        var masked = new EncodedText[windows.Length];
        var positions = new List<long>();
        var labels = new List<long>();
        for (var w = 0; w < windows.Length; w++)
        {
            var ids = (int[])windows[w].Ids.Clone();
            var guessable = Enumerable.Range(0, ids.Length).Where(t => !tokenizer.IsSpecial(ids[t])).ToArray();
            random.Shuffle(guessable);
            foreach (var t in guessable.Take((int)Math.Round(MaskedShare * guessable.Length)))
            {
                positions.Add(w * MaxTokens + t);
                labels.Add(ids[t]);
                ids[t] = tokenizer.MaskId;
            }
            masked[w] = windows[w] with { Ids = ids };
        }
        return (masked, [.. positions], [.. labels]);
    }

    private static double SummedLoss(MaskedLanguageModel network, EncoderConfig config, EncodedText[] masked, long[] positions, long[] labels)
    {
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(masked, config, CPU);
        var logits = network.ForwardAt(batch, tensor(positions, dtype: int64, device: CPU));
        return nn.functional.cross_entropy(logits, tensor(labels, dtype: int64, device: CPU), reduction: nn.Reduction.Sum).item<float>();
    }
}

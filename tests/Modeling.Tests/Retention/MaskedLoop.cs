using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Retention;

/// <summary>The plain form of the pseudo-log-likelihood: one window, one hidden token, one pass, all logits, float64 from there on.</summary>
internal static class MaskedLoop
{
    public static List<List<double>> Losses(string folder, RetentionWindows windows)
    {
        using var network = CheckpointNetwork.Open(folder, CPU);
        var tokenizer = TextTokenizer.FromFolder(folder);
        return [.. windows.Corpora.Select(corpus => corpus.Windows.SelectMany(window => LossesOf(window, network, tokenizer)).ToList())];
    }

    private static IEnumerable<double> LossesOf(EncodedText window, CheckpointNetwork network, TextTokenizer tokenizer)
    {
        for (var t = 1; t < window.Ids.Length - 1; t++)
        {
            using var scope = NewDisposeScope();
            var ids = (int[])window.Ids.Clone();
            ids[t] = tokenizer.MaskId;
            using var batch = TokenBatch.Create([window with { Ids = ids }], network.Config, CPU);
            var (logits, _) = network.Forward(batch);
            double[] scores = [.. logits[0][t].data<float>().Select(score => (double)score)];
            yield return Math.Log(scores.Sum(score => Math.Exp(score - scores.Max()))) + scores.Max() - scores[window.Ids[t]];
        }
    }
}

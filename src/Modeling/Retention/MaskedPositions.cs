using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Which tokens of retention windows are hidden, each alone: chosen once, the same for every state of a model.</summary>
/// <remarks>Immutable and thread-safe.</remarks>
public sealed class MaskedPositions
{
    /// <summary>Fewer in a corpus would leave its error without an estimate.</summary>
    public const int FewestPerCorpus = 2;

    private MaskedPositions(IReadOnlyList<IReadOnlyList<MaskedPosition>> ofCorpus) => OfCorpus = ofCorpus;

    /// <summary>The positions of each corpus, in reading order.</summary>
    public IReadOnlyList<IReadOnlyList<MaskedPosition>> OfCorpus { get; }

    /// <summary>How many there are in all.</summary>
    public int Count => OfCorpus.Sum(positions => positions.Count);

    /// <summary>Every token that is not special: the exact pseudo-log-likelihood.</summary>
    /// <param name="windows">The windows.</param>
    /// <param name="tokenizer">The one that made them.</param>
    public static MaskedPositions All(RetentionWindows windows, TextTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new MaskedPositions([.. windows.Corpora.Select(corpus => Candidates(corpus, tokenizer))]);
    }

    /// <summary>Tokens drawn uniformly without replacement within each corpus, so that their mean loss is unbiased for that of all.</summary>
    /// <remarks>
    /// Corpora get positions in proportion to their weights, which is what keeps the error of the weighted total low where losses vary alike;
    /// a corpus that has fewer tokens than its share is taken whole and the others get the rest. Each corpus gets at least
    /// <see cref="FewestPerCorpus"/>.
    /// </remarks>
    /// <param name="windows">The windows.</param>
    /// <param name="tokenizer">The one that made them.</param>
    /// <param name="count">In all corpora together; where there are fewer tokens, all of them.</param>
    /// <param name="seed">The same seed and windows give the same positions.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than two for each corpus.</exception>
    public static MaskedPositions Sample(RetentionWindows windows, TextTokenizer tokenizer, int count, int seed)
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var fewest = FewestPerCorpus * windows.Corpora.Count;
        if (count < fewest)
            throw new ArgumentOutOfRangeException(
                nameof(count), count, $"{count} positions are too few for {windows.Corpora.Count} corpora; use {fewest} or more (usual: 2,000).");
        using var generator = new Generator((ulong)seed, CPU);
        return new MaskedPositions(
            [.. windows.Corpora.Zip(Allocate(windows.Corpora, count), (corpus, share) => Draw(Candidates(corpus, tokenizer), share, generator))]);
    }

    private static List<MaskedPosition> Candidates(WindowedCorpus corpus, TextTokenizer tokenizer) =>
        [.. corpus.Windows.Index().SelectMany(window => window.Item.Ids.Index()
            .Where(token => !tokenizer.IsSpecial(token.Item)).Select(token => new MaskedPosition(window.Index, token.Index)))];

    // Webster's method: the next position goes to whoever is furthest behind its weight, among those that have tokens left.
    private static int[] Allocate(IReadOnlyList<WindowedCorpus> corpora, int count)
    {
        int[] shares = [.. corpora.Select(corpus => Math.Min(FewestPerCorpus, corpus.TokenCount))];
        for (var left = Math.Min(count, corpora.Sum(corpus => corpus.TokenCount)) - shares.Sum(); left > 0; left--)
        {
            var open = Enumerable.Range(0, corpora.Count).Where(c => shares[c] < corpora[c].TokenCount);
            shares[open.MaxBy(c => corpora[c].Weight / ((2 * shares[c]) + 1))]++;
        }
        return shares;
    }

    private static List<MaskedPosition> Draw(List<MaskedPosition> candidates, int count, Generator generator)
    {
        if (count >= candidates.Count) return candidates;
        using var scope = NewDisposeScope();
        // The places of the smallest of as many random float64 keys: ties are as good as impossible.
        var places = rand(candidates.Count, dtype: float64, device: CPU, generator: generator).argsort().narrow(0, 0, count).sort().Values;
        return [.. places.data<long>().Select(place => candidates[(int)place])];
    }
}

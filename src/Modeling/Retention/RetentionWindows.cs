namespace MLNetLoRA.Modeling;

/// <summary>Retention text as a network reads it: tokenised once, cut into windows, the same for every state of a model.</summary>
/// <remarks>Immutable and thread-safe.</remarks>
public sealed class RetentionWindows
{
    /// <summary>Room for the special tokens and a few of text.</summary>
    internal const int FewestTokens = 8;

    // With one token there is nothing to guess it from.
    private const int FewestPerText = 2;

    private RetentionWindows(IReadOnlyList<WindowedCorpus> corpora, int maxTokens) => (Corpora, MaxTokens) = (corpora, maxTokens);

    /// <summary>The corpora in the order given.</summary>
    public IReadOnlyList<WindowedCorpus> Corpora { get; }

    /// <summary>The longest window, in tokens, special tokens included.</summary>
    public int MaxTokens { get; }

    /// <summary>Tokens that can be hidden and guessed, in all corpora.</summary>
    public int TokenCount => Corpora.Sum(corpus => corpus.TokenCount);

    /// <summary>Tokenises corpora.</summary>
    /// <remarks>
    /// A text longer than a window becomes as few windows as hold it, of equal length to within one token, so that no window is left with a
    /// token or two. Special tokens around each are the tokenizer's for a single text.
    /// </remarks>
    /// <param name="corpora">One or more; weights as <see cref="RetentionCorpus.Weight"/> says.</param>
    /// <param name="tokenizer">The base's.</param>
    /// <param name="maxTokens">8 or more, and no more than the model takes.</param>
    /// <param name="checkCancelled">Called before each text; may throw. Null for never.</param>
    /// <exception cref="ArgumentException">A corpus is empty, a text is shorter than two tokens, or names or weights are wrong; all faults together.</exception>
    public static RetentionWindows Tokenize(
        IReadOnlyList<RetentionCorpus> corpora, TextTokenizer tokenizer, int maxTokens, Action? checkCancelled = null)
    {
        ArgumentNullException.ThrowIfNull(corpora);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, FewestTokens);
        var faults = CorpusWeights.Faults(corpora).ToList();
        if (faults.Count > 0) throw new ArgumentException(string.Join(" ", faults));

        var windowed = corpora.Zip(CorpusWeights.Of(corpora), (corpus, weight) =>
        {
            var windows = new List<EncodedText>();
            var tooShort = new List<int>();
            foreach (var (place, text) in corpus.Texts.Index())
            {
                checkCancelled?.Invoke();
                var ids = tokenizer.EncodeRaw(text ?? "");
                if (ids.Count(id => !tokenizer.IsSpecial(id)) < FewestPerText) tooShort.Add(place);
                else windows.AddRange(Cut(ids, tokenizer, maxTokens));
            }
            faults.AddRange(FaultsOf(corpus, tooShort));
            return Windowed(corpus.Name, weight, windows, tokenizer);
        }).ToList();
        return faults.Count == 0 ? new RetentionWindows(windowed, maxTokens) : throw new ArgumentException(string.Join(" ", faults));
    }

    /// <summary>Alternate windows of every corpus: the first, third, … and the second, fourth, …; for what must not learn from the text that it is judged by.</summary>
    /// <param name="tokenizer">The one that made them.</param>
    /// <exception cref="ArgumentException">A corpus has too few windows for two halves of two tokens each.</exception>
    public (RetentionWindows First, RetentionWindows Second) Halves(TextTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var (first, second) = (Half(0), Half(1));
        var small = Corpora.Index().Where(corpus => Math.Min(first.Corpora[corpus.Index].TokenCount, second.Corpora[corpus.Index].TokenCount) < FewestPerText)
            .Select(corpus => $"The corpus {MessageText.Quote(corpus.Item.Name)} is too short to be halved (windows: {corpus.Item.Windows.Count}, of up to {MaxTokens} tokens); "
                + "give it more text, or take shorter windows.").ToList();
        return small.Count == 0 ? (first, second) : throw new ArgumentException(string.Join(" ", small));

        RetentionWindows Half(int place) => new([.. Corpora.Select(corpus =>
            Windowed(corpus.Name, corpus.Weight, [.. corpus.Windows.Where((_, index) => index % 2 == place)], tokenizer))], MaxTokens);
    }

    private static WindowedCorpus Windowed(string name, double weight, List<EncodedText> windows, TextTokenizer tokenizer) =>
        new(name, weight, windows, windows.Sum(window => window.Ids.Count(id => !tokenizer.IsSpecial(id))));

    private static IEnumerable<EncodedText> Cut(int[] ids, TextTokenizer tokenizer, int maxTokens)
    {
        var room = maxTokens - tokenizer.Wrap([]).Ids.Length;
        var count = (ids.Length + room - 1) / room;
        for (var n = 0; n < count; n++)
        {
            var (start, end) = ((int)((long)ids.Length * n / count), (int)((long)ids.Length * (n + 1) / count));
            yield return tokenizer.Wrap(ids[start..end]);
        }
    }

    private static IEnumerable<string> FaultsOf(RetentionCorpus corpus, List<int> tooShort)
    {
        const int Listed = 5;
        if (corpus.Texts.Count == 0) yield return $"The corpus {MessageText.Quote(corpus.Name)} holds no text; give it some, or leave it out.";
        if (tooShort.Count == 0) yield break;
        var places = string.Join(", ", tooShort.Take(Listed).Select(place => place + 1)) + (tooShort.Count > Listed ? ", …" : "");
        yield return $"The corpus {MessageText.Quote(corpus.Name)} holds {tooShort.Count} texts (of {corpus.Texts.Count}; number {places}) of fewer than {FewestPerText} tokens, "
            + "of which nothing can be guessed; leave them out, or join them with their neighbours.";
    }
}

/// <summary>One corpus in windows.</summary>
/// <param name="Name">What reports call it.</param>
/// <param name="Weight">Its share in the total; the shares of all corpora sum to 1.</param>
/// <param name="Windows">Token ids with the special tokens around them.</param>
/// <param name="TokenCount">Tokens in all windows that can be hidden: all but special ones, the unknown token included among those.</param>
public sealed record WindowedCorpus(string Name, double Weight, IReadOnlyList<EncodedText> Windows, int TokenCount);

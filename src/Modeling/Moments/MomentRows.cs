namespace MLNetLoRA.Modeling;

/// <summary>Chooses the rows over which moments are collected, and hides tokens in them as pretraining does.</summary>
/// <remarks>Everything is drawn from a seed: the same rows and seed give the same sample everywhere.</remarks>
public static class MomentRows
{
    /// <summary>The share of a retention row's tokens that is hidden: what encoders are pretrained with.</summary>
    public const double MaskedShare = 0.15;

    // A row of one token has nothing to be guessed from.
    private const int FewestTokens = 2;

    /// <summary>Rows drawn without replacement until a number of tokens is reached.</summary>
    /// <param name="rows">Encoded rows.</param>
    /// <param name="maxTokens">The most tokens, special ones included; of rows, at least one.</param>
    /// <param name="seed">Draws the order.</param>
    public static IReadOnlyList<EncodedText> Sample(IReadOnlyList<EncodedText> rows, int maxTokens, int seed)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return Take(Shuffled(rows.Count, seed).Select(row => rows[row]), maxTokens);
    }

    /// <summary>Windows of retention texts, drawn without replacement until a number of tokens is reached, with tokens hidden.</summary>
    /// <remarks>
    /// What is to be retained is how well the base guesses hidden tokens, so hidden tokens are what it must be shown. All of the chosen ones become
    /// the mask token.
    /// </remarks>
    /// <param name="texts">Plain texts of any length; those longer than a window become several, those shorter than two tokens none.</param>
    /// <param name="tokenizer">The base's, with a mask token.</param>
    /// <param name="windowTokens">The longest window, special tokens included; 4 or more.</param>
    /// <param name="maxTokens">The most tokens altogether; of windows, at least one.</param>
    /// <param name="seed">Draws the order and the tokens that are hidden.</param>
    /// <returns>Empty where no text has two tokens.</returns>
    public static IReadOnlyList<EncodedText> SampleMasked(IReadOnlyList<string> texts, TextTokenizer tokenizer, int windowTokens, int maxTokens, int seed)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(windowTokens, FewestTokens + 2);
        // Texts are tokenized in the order drawn, so of a large corpus no more than is needed.
        return Masked(Take(Shuffled(texts.Count, seed).SelectMany(text => Windows(texts[text], tokenizer, windowTokens)), maxTokens), tokenizer, seed);
    }

    /// <summary>Windows that were cut already, drawn without replacement, with tokens hidden.</summary>
    /// <remarks>Corpora share the tokens by weight; of one that has fewer than its share all windows are taken.</remarks>
    /// <param name="windows">The windows.</param>
    /// <param name="tokenizer">The one that made them, with a mask token.</param>
    /// <param name="maxTokens">The most tokens altogether; of each corpus, at least one window.</param>
    /// <param name="seed">Draws the order and the tokens that are hidden.</param>
    public static IReadOnlyList<EncodedText> SampleMasked(RetentionWindows windows, TextTokenizer tokenizer, int maxTokens, int seed)
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Masked(windows.Corpora.SelectMany(corpus => Sample(corpus.Windows, (int)(maxTokens * corpus.Weight), seed)), tokenizer, seed);
    }

    private static List<EncodedText> Take(IEnumerable<EncodedText> rows, int maxTokens)
    {
        var taken = new List<EncodedText>();
        long tokens = 0;
        foreach (var row in rows)
        {
            tokens += row.Ids.Length;
            if (tokens > maxTokens && taken.Count > 0) break;
            taken.Add(row);
        }
        return taken;
    }

    private static IEnumerable<EncodedText> Windows(string text, TextTokenizer tokenizer, int windowTokens) =>
        tokenizer.EncodeRaw(text).Chunk(windowTokens - 2)
            .Where(ids => ids.Count(id => !tokenizer.IsSpecial(id)) >= FewestTokens)
            .Select(ids => new EncodedText([tokenizer.ClassifyId, .. ids, tokenizer.SeparatorId], null, WasTruncated: false));

    private static List<EncodedText> Masked(IEnumerable<EncodedText> windows, TextTokenizer tokenizer, int seed)
    {
        var random = new Random(seed);
        return [.. windows.Select(window => window with { Ids = Hide(window.Ids, tokenizer, random) })];
    }

    private static int[] Hide(int[] ids, TextTokenizer tokenizer, Random random)
    {
        var places = Enumerable.Range(0, ids.Length).Where(place => !tokenizer.IsSpecial(ids[place])).ToArray();
        random.Shuffle(places);
        var hidden = (int[])ids.Clone();
        foreach (var place in places.Take(Math.Max(1, (int)Math.Round(places.Length * MaskedShare)))) hidden[place] = tokenizer.MaskId;
        return hidden;
    }

    private static int[] Shuffled(int count, int seed)
    {
        var order = Enumerable.Range(0, count).ToArray();
        new Random(seed).Shuffle(order);
        return order;
    }
}

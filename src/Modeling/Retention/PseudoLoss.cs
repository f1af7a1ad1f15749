namespace MLNetLoRA.Modeling;

/// <summary>The pseudo-log-likelihood loss of a masked language model: each token is hidden alone and guessed from all the others.</summary>
/// <remarks>
/// Source: arXiv 1910.14659. Windows, positions and batches are the same for every state of a model, so that differences of two states are
/// paired, and those of equal states exactly 0. Hiding many tokens at once, as pretraining does, has another expectation and is not this.
/// </remarks>
/// <param name="windows">Retention text.</param>
/// <param name="positions">What is hidden, made of the same windows.</param>
/// <param name="batchSize">Windows in one pass, each with one hidden token; 1 or more.</param>
public sealed class PseudoLoss(RetentionWindows windows, MaskedPositions positions, int batchSize)
{
    // By length, so that batches hold little padding; every length in reading order.
    private readonly List<(int Corpus, int Place)[]> _batches =
    [
        .. positions.OfCorpus.Index()
            .SelectMany(corpus => corpus.Item.Index().Select(position => (Corpus: corpus.Index, Place: position.Index)))
            .OrderBy(hidden => windows.Corpora[hidden.Corpus].Windows[positions.OfCorpus[hidden.Corpus][hidden.Place].Window].Ids.Length)
            .Chunk(batchSize),
    ];

    /// <summary>The loss of every position in one state of the model, in nats.</summary>
    /// <param name="state">A state of the model whose tokenizer made the windows.</param>
    /// <param name="advance">Told after each pass how many positions it was; may throw to stop. Null for nobody.</param>
    public PositionLosses Of(LanguageModelState state, Action<int>? advance = null)
    {
        ArgumentNullException.ThrowIfNull(state);
        var losses = Empty();
        var retied = state.HasRetiedDecoder ? Empty() : null;
        foreach (var batch in _batches)
        {
            var (found, again) = LossesOf(batch, state);
            foreach (var (b, (corpus, place)) in batch.Index())
            {
                losses[corpus][place] = found[b];
                if (retied is not null) retied[corpus][place] = again![b];
            }
            advance?.Invoke(batch.Length);
        }
        return new PositionLosses(losses, retied);

        double[][] Empty() => [.. positions.OfCorpus.Select(corpus => new double[corpus.Count])];
    }

    private (float[], float[]?) LossesOf((int Corpus, int Place)[] batch, LanguageModelState state)
    {
        var rows = batch.Select(hidden => (Window: WindowOf(hidden), positions.OfCorpus[hidden.Corpus][hidden.Place].Token)).ToList();
        var longest = rows.Max(row => row.Window.Ids.Length);
        return state.LossesAt(
            [.. rows.Select(row => Hide(row.Window, row.Token, state.Base.Tokenizer.MaskId))],
            [.. rows.Select((row, r) => ((long)r * longest) + row.Token)],
            [.. rows.Select(row => (long)row.Window.Ids[row.Token])]);
    }

    private EncodedText WindowOf((int Corpus, int Place) hidden) =>
        windows.Corpora[hidden.Corpus].Windows[positions.OfCorpus[hidden.Corpus][hidden.Place].Window];

    private static EncodedText Hide(EncodedText window, int token, int maskId)
    {
        var ids = (int[])window.Ids.Clone();
        ids[token] = maskId;
        return window with { Ids = ids };
    }
}

/// <summary>Losses of hidden tokens, in nats, by corpus, in the order of the positions.</summary>
/// <param name="OfCorpus">Read with the base's decoder.</param>
/// <param name="Retied">Read with the tuned word embedding as decoder; null where there is no such reading.</param>
public sealed record PositionLosses(IReadOnlyList<IReadOnlyList<double>> OfCorpus, IReadOnlyList<IReadOnlyList<double>>? Retied);

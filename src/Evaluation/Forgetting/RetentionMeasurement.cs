using System.Diagnostics;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>Retention text, what is hidden in it, and the base's losses: made once, then any number of states are held against it.</summary>
internal sealed class RetentionMeasurement
{
    private readonly PretrainedModel _base;
    private readonly ForgettingOptions _options;
    private readonly RetentionWindows _windows;
    private readonly MaskedPositions _positions;
    private readonly PseudoLoss _loss;
    private readonly PositionLosses _before;
    private readonly long _total;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _done;

    /// <summary>Reads the text and measures the base.</summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">Checked.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="stateCount">How many states will be measured after the base: for progress.</param>
    public RetentionMeasurement(PretrainedModel baseModel, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions options, Device device, int stateCount)
        : this(baseModel, Tokenize(baseModel, corpora, options), options, device, stateCount)
    {
    }

    /// <summary>Measures the base on text that was read already.</summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="windows">From <see cref="Tokenize"/>, or some of it.</param>
    /// <param name="options">Checked.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="stateCount">How many states will be measured after the base: for progress.</param>
    public RetentionMeasurement(PretrainedModel baseModel, RetentionWindows windows, ForgettingOptions options, Device device, int stateCount)
    {
        (_base, _windows, _options) = (baseModel, windows, options);
        using var state = LanguageModelState.OfBase(baseModel, device);
        _positions = options.Measure is RetentionMeasure.Exact
            ? MaskedPositions.All(_windows, baseModel.Tokenizer)
            : MaskedPositions.Sample(_windows, baseModel.Tokenizer, options.Positions, options.Seed);
        _loss = new PseudoLoss(_windows, _positions, options.BatchSize);
        _total = (long)_positions.Count * (1 + stateCount);
        _before = Losses(state);
    }

    /// <summary>Retention text in the base's windows.</summary>
    public static RetentionWindows Tokenize(PretrainedModel baseModel, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions options) => RetentionWindows.Tokenize(
        corpora, baseModel.Tokenizer, options.EffectiveMaxTokens(baseModel), options.CancellationToken.ThrowIfCancellationRequested);

    /// <summary>What one state of the model lost.</summary>
    public ForgettingReport Measure(LanguageModelState state)
    {
        var after = Losses(state);
        var corpora = _windows.Corpora.Select((corpus, c) => OfCorpus(corpus, c, after)).ToList();
        var total = Total(corpora, after.OfCorpus);
        return new ForgettingReport
        {
            BaseName = _base.Name,
            Measure = _options.Measure,
            Positions = _positions.Count,
            MaxTokens = _windows.MaxTokens,
            Seed = _options.Seed,
            Corpora = corpora,
            BaseLoss = corpora.Sum(corpus => corpus.Weight * corpus.BaseLoss),
            TunedLoss = total.TunedLoss,
            Forgetting = total.Forgetting,
            StandardError = total.StandardError,
            Interval = total.Interval,
            Retied = after.Retied is { } retied ? Total(corpora, retied) : null,
            Seconds = _clock.Elapsed.TotalSeconds,
        };
    }

    private PositionLosses Losses(LanguageModelState state) => _loss.Of(state, positions =>
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        _done += positions;
        _options.Progress?.Report(new ForgettingProgress(_done, _total));
    });

    private CorpusForgetting OfCorpus(WindowedCorpus corpus, int c, PositionLosses after)
    {
        var change = ChangeOf(corpus, c, after.OfCorpus);
        return new CorpusForgetting
        {
            Name = corpus.Name,
            Weight = corpus.Weight,
            Tokens = corpus.TokenCount,
            Positions = _positions.OfCorpus[c].Count,
            BaseLoss = _before.OfCorpus[c].Average(),
            TunedLoss = change.TunedLoss,
            Forgetting = change.Forgetting,
            StandardError = change.StandardError,
            Interval = change.Interval,
            Retied = after.Retied is { } retied ? ChangeOf(corpus, c, retied) : null,
        };
    }

    private LossChange ChangeOf(WindowedCorpus corpus, int c, IReadOnlyList<IReadOnlyList<double>> after) =>
        Change(after[c].Average(), Difference(corpus, c, after));

    private LossChange Total(List<CorpusForgetting> corpora, IReadOnlyList<IReadOnlyList<double>> after)
    {
        var parts = _windows.Corpora.Select((corpus, c) => (corpus.Weight, Difference(corpus, c, after)));
        return Change(corpora.Select((corpus, c) => corpus.Weight * after[c].Average()).Sum(), PairedDifference.Sum(parts));
    }

    private PairedDifference Difference(WindowedCorpus corpus, int c, IReadOnlyList<IReadOnlyList<double>> after) =>
        PairedDifference.Of(_before.OfCorpus[c], after[c], corpus.TokenCount);

    private static LossChange Change(double tunedLoss, PairedDifference difference) =>
        new(tunedLoss, difference.Mean, difference.StandardError, difference.Interval);
}

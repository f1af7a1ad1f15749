using System.CommandLine;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>What only <c>train --task masked</c> takes.</summary>
internal sealed class MaskedTrainOptions
{
    private readonly Option<double?> _maskedShare = VerbOptions.Number<double>(
        "--masked-share", "masked: share of the tokens that the model has to guess (default 0.15).");
    private readonly Option<bool> _wholeWord = VerbOptions.Flag(
        "--whole-word", "masked: hide all tokens of a word or none.");
    private readonly Option<double?> _causalShare = VerbOptions.Number<double>(
        "--causal-share", "masked: share of the windows that learn to guess each next token instead (default 0).");
    private readonly Option<double?> _bagOfWords = VerbOptions.Number<double>(
        "--bag-of-words", "masked: weight of guessing a window's words from its first token, which classifiers read (default 0).");
    private readonly Option<long?> _maxSteps = VerbOptions.Number<long>(
        "--max-steps", "masked: stop after so many steps, where the learning rate's schedule then ends too; without --epochs, as many passes as it takes.");
    private readonly Option<int?> _evaluateEvery = VerbOptions.Number<int>(
        "--evaluate-every", "masked: measure the loss on --validation every N steps, with the same masks each time.");
    private readonly Option<string?> _checkpoint = VerbOptions.Path(
        "--checkpoint", "masked: a folder for what the run needs to go on after it was stopped; holds the last two checkpoints.", "DIR");
    private readonly Option<int?> _checkpointEvery = VerbOptions.Number<int>(
        "--checkpoint-every", "masked: write a checkpoint every N steps (default 1000), and one when stopped with Ctrl+C.");
    private readonly Option<bool> _resume = VerbOptions.Flag(
        "--resume", "masked: go on from the latest checkpoint in --checkpoint, with all else as the run began; begin anew where there is none.");
    private readonly Option<string?> _dtype = VerbOptions.Choice(
        "--dtype", "masked: how weights are stored (default float32).", Float32, BFloat16);

    private const string Float32 = "float32";
    private const string BFloat16 = "bfloat16";

    public IReadOnlyList<Option> All =>
        [_maskedShare, _wholeWord, _causalShare, _bagOfWords, _maxSteps, _evaluateEvery, _checkpoint, _checkpointEvery, _resume, _dtype];

    /// <summary>An option without effect is a misunderstanding.</summary>
    /// <exception cref="BadInputException">One was given without what it belongs to.</exception>
    public void RefuseWithoutEffect(ParseResult parsed, bool hasValidation)
    {
        if (parsed.GetValue(_checkpoint) is null && (parsed.IsGiven(_checkpointEvery) || parsed.GetValue(_resume)))
            throw new BadInputException(
                $"{(parsed.GetValue(_resume) ? _resume.Name : _checkpointEvery.Name)} has no effect without {_checkpoint.Name} DIR, the folder with the checkpoints; give it.");
        if (parsed.IsGiven(_evaluateEvery) && !hasValidation)
            throw new BadInputException($"{_evaluateEvery.Name} has no effect without --validation F, the text to measure the loss on; give it.");
    }

    /// <summary>Whether weights are stored in half the space.</summary>
    public bool InBFloat16(ParseResult parsed) => parsed.GetValue(_dtype) == BFloat16;

    /// <summary>The options as typed, others as <paramref name="given"/>.</summary>
    public MaskedLanguageModelOptions Read(ParseResult parsed, MaskedLanguageModelOptions given) => given with
    {
        MaskedShare = parsed.GetValue(_maskedShare) ?? given.MaskedShare,
        WholeWordMasking = parsed.GetValue(_wholeWord),
        CausalShare = parsed.GetValue(_causalShare) ?? given.CausalShare,
        BagOfWordsWeight = parsed.GetValue(_bagOfWords) ?? given.BagOfWordsWeight,
        MaxSteps = parsed.GetValue(_maxSteps),
        EvaluateEverySteps = parsed.GetValue(_evaluateEvery),
        CheckpointFolder = parsed.GetValue(_checkpoint),
        CheckpointEverySteps = parsed.GetValue(_checkpointEvery) ?? given.CheckpointEverySteps,
        Resume = parsed.GetValue(_resume),
    };
}

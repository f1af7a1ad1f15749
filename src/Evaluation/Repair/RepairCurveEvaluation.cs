using MLNetLoRA.Evaluation;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>Repair curves of fine-tuned checkpoints and adapters, without ML.NET: forgetting at every scale, without a task.</summary>
/// <remarks>Thread-safe.</remarks>
public static class RepairCurveEvaluation
{
    internal const string Component = "EvaluateRepair";

    /// <summary>Measures the repairs of a fine-tuned checkpoint.</summary>
    /// <param name="baseModel">What it was fine-tuned from, with its masked-language-model head.</param>
    /// <param name="tunedPath">A checkpoint folder of the same model or a .safetensors file; heads in it are not read.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults. Without TestSet and TaskRows: a checkpoint alone does not know its classes.</param>
    /// <inheritdoc cref="ForgettingEvaluation.OfCheckpoint" path="/exception"/>
    public static RepairCurve OfCheckpoint(
        PretrainedModel baseModel, string tunedPath, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions? options = null) =>
        Of(baseModel, device => LanguageModelState.OfCheckpoint(baseModel, tunedPath, device), corpora, options);

    /// <summary>Measures the repairs of a LoRA adapter in PEFT's files.</summary>
    /// <param name="baseModel">The adapter's base, with its masked-language-model head.</param>
    /// <param name="adapterFolder">PEFT's files; a classification head in them is not read.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults. Without TestSet and TaskRows: an adapter alone does not know its classes.</param>
    /// <inheritdoc cref="ForgettingEvaluation.OfAdapter" path="/exception"/>
    public static RepairCurve OfAdapter(
        PretrainedModel baseModel, string adapterFolder, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions? options = null) =>
        Of(baseModel, device => LanguageModelState.OfAdapter(baseModel, adapterFolder, device), corpora, options);

    /// <summary>Finds spectra and moments once, and measures.</summary>
    /// <param name="state">The model's language model.</param>
    /// <param name="classifier">Its classifier; null where there is none.</param>
    /// <param name="task">The rows that test it; null to leave the task out.</param>
    /// <param name="taskRows">The rows that Balance learns from; null to leave it out.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">Checked.</param>
    internal static RepairCurve Run(
        LanguageModelState state, TextClassifier? classifier, TaskTest? task, IReadOnlyList<EncodedText>? taskRows, IReadOnlyList<RetentionCorpus> corpora,
        RepairCurveOptions options)
    {
        var text = RetentionMeasurement.Tokenize(state.Base, corpora, options.Forgetting);
        // A repair must not have learned from what it is judged by.
        var (measured, retained) = taskRows is null ? (text, null) : text.Halves(state.Base.Tokenizer);
        using var balance = taskRows is null ? null : new BalanceRepair(options.Strengths, classifier!, state.Base, taskRows, retained!, options.Forgetting);
        using var changes = state.OpenChanges();
        var smallest = SequenceClassifier.Matrices(state.Base.Config).Where(matrix => changes.Names.Contains(matrix.Key)).Select(matrix => matrix.Value.MaxRank).DefaultIfEmpty(1).Min();
        var settings = new SpectralSettings { TopK = [Math.Min(options.TopK, smallest)], Epsilon = [options.Epsilon] };
        using var spectra = ModelSpectra.Measure(changes, changes.Names, settings, state.Device, options.Forgetting.CancellationToken.ThrowIfCancellationRequested);
        List<IRepair> repairs =
        [
            .. options.Methods.Select(method => method is RepairMethod.Balance ? (IRepair?)balance : new SpectralRepair(method, options.Scales, spectra)).OfType<IRepair>(),
        ];
        var curve = new RepairCurveRun(state, classifier, task)
            .Run(repairs, measured, options.Forgetting, options.AccuracyTolerance, spectra.Findings.Sum(finding => finding.Intruders.Count));
        return balance is null && options.Methods.Contains(RepairMethod.Balance) ? curve with { Conclusion = $"{curve.Conclusion} {BalanceRepair.LeftOut}" } : curve;
    }

    /// <summary>All that is wrong, before anything is opened.</summary>
    internal static void Check(PretrainedModel baseModel, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions options) =>
        OptionFaults.ThrowIfAny(Component, options.Faults().Concat(options.Forgetting.Faults(baseModel, corpora.Count)));

    private static RepairCurve Of(
        PretrainedModel baseModel, Func<Device, LanguageModelState> open, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions? options)
    {
        ArgumentNullException.ThrowIfNull(baseModel);
        ArgumentNullException.ThrowIfNull(corpora);
        options ??= new RepairCurveOptions();
        Check(baseModel, corpora, options);
        if ((options.TestSet is not null ? nameof(options.TestSet) : options.TaskRows is not null ? nameof(options.TaskRows) : null) is { } given)
            throw new ArgumentException($"{Component}: {given} is given, and a checkpoint or an adapter alone does not know its classes and columns; leave it out, or give a fitted model.");
        using var state = open(ComputeDevice.Choose(options.Forgetting.Device, null, fallBackToCpu: true, log: _ => { }));
        return Run(state, classifier: null, task: null, taskRows: null, corpora, options);
    }
}

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
    /// <param name="options">All settings; null for the defaults. Without TestSet: a checkpoint alone does not know its classes.</param>
    /// <inheritdoc cref="ForgettingEvaluation.OfCheckpoint" path="/exception"/>
    public static RepairCurve OfCheckpoint(
        PretrainedModel baseModel, string tunedPath, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions? options = null) =>
        Of(baseModel, device => LanguageModelState.OfCheckpoint(baseModel, tunedPath, device), corpora, options);

    /// <summary>Measures the repairs of a LoRA adapter in PEFT's files.</summary>
    /// <param name="baseModel">The adapter's base, with its masked-language-model head.</param>
    /// <param name="adapterFolder">PEFT's files; a classification head in them is not read.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults. Without TestSet: an adapter alone does not know its classes.</param>
    /// <inheritdoc cref="ForgettingEvaluation.OfAdapter" path="/exception"/>
    public static RepairCurve OfAdapter(
        PretrainedModel baseModel, string adapterFolder, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions? options = null) =>
        Of(baseModel, device => LanguageModelState.OfAdapter(baseModel, adapterFolder, device), corpora, options);

    /// <summary>Checks what was asked, finds the spectra once, and measures.</summary>
    internal static RepairCurve Run(
        LanguageModelState state, TextClassifier? classifier, TaskTest? task, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions options)
    {
        using var changes = state.OpenChanges();
        var smallest = SequenceClassifier.Matrices(state.Base.Config).Where(matrix => changes.Names.Contains(matrix.Key)).Select(matrix => matrix.Value.MaxRank).DefaultIfEmpty(1).Min();
        var settings = new SpectralSettings { TopK = [Math.Min(options.TopK, smallest)], Epsilon = [options.Epsilon] };
        using var spectra = ModelSpectra.Measure(changes, changes.Names, settings, state.Device, options.Forgetting.CancellationToken.ThrowIfCancellationRequested);
        List<IRepair> repairs = [.. options.Methods.Select(method => new SpectralRepair(method, options.Scales, spectra))];
        return new RepairCurveRun(state, classifier, task)
            .Run(repairs, corpora, options.Forgetting, options.AccuracyTolerance, spectra.Findings.Sum(finding => finding.Intruders.Count));
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
        if (options.TestSet is not null)
            throw new ArgumentException($"{Component}: TestSet is given, and a checkpoint or an adapter alone does not know its classes; leave it out, or give a fitted model.");
        using var state = open(ComputeDevice.Choose(options.Forgetting.Device, null, fallBackToCpu: true, log: _ => { }));
        return Run(state, classifier: null, task: null, corpora, options);
    }
}

using System.Diagnostics;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Evaluation;

/// <summary>Measures a model untouched and under every repair: one network over the same weights for each, with other factors.</summary>
/// <param name="state">The model's language model; borrowed.</param>
/// <param name="classifier">The model's classifier; borrowed, null where the task is left out.</param>
/// <param name="task">The rows that test it; null with no classifier.</param>
internal sealed class RepairCurveRun(LanguageModelState state, TextClassifier? classifier, TaskTest? task)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Dictionary<string, (ForgettingReport Forgetting, TaskMetric? Task)> _known = [];

    public RepairCurve Run(
        IReadOnlyList<IRepair> repairs, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions options, double accuracyTolerance, int intruderCount)
    {
        var trials = repairs.SelectMany(repair => repair.Strengths.Select(strength => (Repair: repair, Strength: strength, Trial: repair.At(strength)))).ToList();
        var distinct = trials.Select(trial => trial.Trial.Key).Append("").Distinct().Count();
        var measurement = new RetentionMeasurement(state.Base, corpora, options, state.Device, distinct);
        var unscaled = _known[""] = (measurement.Measure(state), classifier is null ? null : task!.Of(classifier));
        var points = trials.Select(trial => Point(trial.Repair.Method, trial.Strength, Measured(trial.Trial, measurement), unscaled.Forgetting)).ToList();
        var comparison = unscaled.Task is { } metric
            ? new RepairComparison(unscaled.Forgetting, metric, accuracyTolerance, points, repairs.ToDictionary(repair => repair.Method, repair => repair.Untouched))
            : null;
        return new RepairCurve
        {
            Unscaled = unscaled.Forgetting,
            UnscaledTask = unscaled.Task,
            AccuracyTolerance = accuracyTolerance,
            IntruderCount = intruderCount,
            Points = points,
            AtEqualTask = comparison?.AtEqualTask ?? [],
            Recommended = comparison?.Recommended,
            Conclusion = comparison?.Conclusion(intruderCount) ?? "Without labelled test rows there is no telling what a repair costs, so none is recommended.",
            Seconds = _clock.Elapsed.TotalSeconds,
        };
    }

    private (ForgettingReport Forgetting, TaskMetric? Task) Measured(RepairTrial trial, RetentionMeasurement measurement)
    {
        if (_known.TryGetValue(trial.Key, out var known)) return known;
        using var corrections = trial.MakeCorrections();
        using var repaired = state.WithCorrections(corrections.Factors);
        using var tested = classifier?.WithCorrections(corrections.Factors);
        return _known[trial.Key] = (measurement.Measure(repaired), tested is null ? null : task!.Of(tested));
    }

    private static RepairPoint Point(RepairMethod method, double strength, (ForgettingReport Forgetting, TaskMetric? Task) measured, ForgettingReport unscaled) => new(
        method, strength, measured.Forgetting.Forgetting, measured.Forgetting.StandardError,
        unscaled.Forgetting == 0 ? double.NaN : measured.Forgetting.Forgetting / unscaled.Forgetting, measured.Task?.Accuracy, measured.Task?.LogLoss);
}

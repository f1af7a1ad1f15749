using System.Diagnostics;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Evaluation;

/// <summary>Measures a model untouched and under every repair: one network over the same weights for each, with other factors.</summary>
/// <param name="state">The model's language model; borrowed.</param>
/// <param name="classifier">The model's classifier; borrowed, null where there is none.</param>
/// <param name="task">The rows that test it; null where the task is left out.</param>
internal sealed class RepairCurveRun(LanguageModelState state, TextClassifier? classifier, TaskTest? task)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Dictionary<string, (ForgettingReport Forgetting, TaskMetric? Task)> _known = [];

    public RepairCurve Run(
        IReadOnlyList<IRepair> repairs, RetentionWindows windows, ForgettingOptions options, double accuracyTolerance, int intruderCount)
    {
        var trials = repairs.SelectMany(repair => repair.Strengths.Select(strength => (Repair: repair, Strength: strength, Trial: repair.At(strength)))).ToList();
        var distinct = trials.Select(trial => trial.Trial.Key).Append("").Distinct().Count();
        var measurement = new RetentionMeasurement(state.Base, windows, options, state.Device, distinct);
        var unscaled = _known[""] = (measurement.Measure(state), task?.Of(classifier!));
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
        using var tested = classifier is null ? null : corrections.Over(classifier);
        using var repaired = corrections.AreBeside ? state.WithCorrections(corrections.Factors) : LanguageModelState.OfClassifier(tested!, state.Device, state.Base);
        return _known[trial.Key] = (measurement.Measure(repaired), task?.Of(tested!));
    }

    private static RepairPoint Point(RepairMethod method, double strength, (ForgettingReport Forgetting, TaskMetric? Task) measured, ForgettingReport unscaled) => new(
        method, strength, measured.Forgetting.Forgetting, measured.Forgetting.StandardError,
        unscaled.Forgetting == 0 ? double.NaN : measured.Forgetting.Forgetting / unscaled.Forgetting, measured.Task?.Accuracy, measured.Task?.LogLoss);
}

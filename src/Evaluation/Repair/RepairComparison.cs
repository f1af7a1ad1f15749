using System.Globalization;

namespace MLNetLoRA.Evaluation;

/// <summary>Holds methods against each other at one task accuracy.</summary>
internal sealed class RepairComparison
{
    private readonly ForgettingReport _unscaled;
    private readonly double _wanted;
    private readonly IReadOnlyList<RepairPoint> _anchored;
    private readonly IReadOnlyDictionary<RepairMethod, double> _untouched;
    private readonly bool _isUntouched;

    /// <param name="unscaled">The model as it is.</param>
    /// <param name="task">Its task.</param>
    /// <param name="tolerance">How much accuracy may be lost.</param>
    /// <param name="points">What was measured.</param>
    /// <param name="untouched">The strength of each method that changes nothing: there its curve begins, measured or not.</param>
    public RepairComparison(
        ForgettingReport unscaled, TaskMetric task, double tolerance, IReadOnlyList<RepairPoint> points, IReadOnlyDictionary<RepairMethod, double> untouched)
    {
        (_unscaled, _wanted, _untouched) = (unscaled, task.Accuracy - tolerance, untouched);
        _anchored =
        [
            .. points,
            .. untouched.Where(pair => !points.Any(point => point.Which == pair.Key && point.Scale == pair.Value))
                .Select(pair => new RepairPoint(pair.Key, pair.Value, unscaled.Forgetting, unscaled.StandardError, 1, task.Accuracy, task.LogLoss)),
        ];
        AtEqualTask = [.. untouched.Keys.Select(Best)];
        // Of points that forget equally the one that changes least.
        var best = _anchored.Where(point => point.Accuracy >= _wanted).OrderBy(point => point.Forgetting)
            .ThenBy(point => Math.Abs(point.Scale - untouched[point.Which])).First();
        _isUntouched = best.Scale == untouched[best.Which];
        Recommended = new RepairChoice(best.Which, best.Scale);
    }

    /// <summary>The least forgetting of each method at the wanted accuracy.</summary>
    public IReadOnlyList<RepairAtEqualTask> AtEqualTask { get; }

    /// <summary>The measured point of least forgetting at the wanted accuracy or better.</summary>
    public RepairChoice Recommended { get; }

    /// <summary>Whether shrinking everything alike is as good as scaling intruders and as balancing, said plainly.</summary>
    public string Conclusion(int intruderCount) => string.Join(' ', new[] { OfLeast(), OfIntruders(intruderCount), OfBalance() }.OfType<string>());

    private string OfLeast()
    {
        var least = _isUntouched ? "the untouched model" : Invariant($"{RepairCurveDocument.Name(Recommended.Which)} at {Recommended.Scale:G4}");
        var begin = Invariant($"At an accuracy of {_wanted:F4} or more, {least} forgets least of what was measured.");
        if (_unscaled.Interval.Upper <= 0) return $"Fine-tuning made the model forget nothing of this text, so there is nothing to give back. {begin}";
        return _unscaled.Interval.Lower > 0 ? begin : $"What fine-tuning made the model forget cannot be told from nothing here: take more positions, or be content. {begin}";
    }

    private string? OfIntruders(int intruderCount)
    {
        var (intruders, uniform) = (LeastOf(RepairMethod.Top, RepairMethod.All), LeastOf(RepairMethod.Uniform, RepairMethod.UniformGlobal));
        if (intruders is null || uniform is null) return null;
        var values = Invariant($"At equal accuracy scaling intruders leaves {intruders.Forgetting:F4} nats of {_unscaled.Forgetting:F4}, shrinking the whole change uniformly {uniform.Forgetting:F4}");
        return intruderCount == 0
            ? $"No intruder dimension was found, so scaling intruders changes nothing. {values}."
            : $"{values}: {Verdict(intruders, uniform, "scaling intruders")}.";
    }

    private string? OfBalance()
    {
        if (LeastOf(RepairMethod.Balance) is not { } balance || LeastOf(RepairMethod.UniformGlobal) is not { } uniform) return null;
        var values = Invariant($"At equal accuracy balancing leaves {balance.Forgetting:F4} nats, shrinking the whole change by one factor {uniform.Forgetting:F4}");
        return $"{values}: {Verdict(balance, uniform, "balancing")}.";
    }

    // Two methods within one standard error of the measurement are not told apart.
    private string Verdict(RepairAtEqualTask repair, RepairAtEqualTask uniform, string name) =>
        uniform.Forgetting < repair.Forgetting - _unscaled.StandardError ? "uniform shrinking does better"
        : uniform.Forgetting <= repair.Forgetting + _unscaled.StandardError ? "uniform shrinking does as well"
        : $"{name} does better";

    private RepairAtEqualTask? LeastOf(params RepairMethod[] methods) =>
        AtEqualTask.Where(equal => methods.Contains(equal.Which)).MinBy(equal => equal.Forgetting);

    // Between two measured scales both accuracy and forgetting are taken as linear: what counts are the ends that are accurate enough, and
    // the places where the line crosses the wanted accuracy.
    private RepairAtEqualTask Best(RepairMethod method)
    {
        var path = _anchored.Where(point => point.Which == method).OrderBy(point => point.Scale).ToList();
        var candidates = path.Where(point => point.Accuracy >= _wanted).Select(point => (point.Scale, point.Forgetting)).ToList();
        foreach (var (one, next) in path.Zip(path.Skip(1)))
        {
            if (one.Accuracy >= _wanted == next.Accuracy >= _wanted) continue;
            var share = (_wanted - one.Accuracy!.Value) / (next.Accuracy!.Value - one.Accuracy.Value);
            candidates.Add((Between(one.Scale, next.Scale, share), Between(one.Forgetting, next.Forgetting, share)));
        }
        var (scale, forgetting) = candidates.OrderBy(candidate => candidate.Forgetting).ThenBy(candidate => Math.Abs(candidate.Scale - _untouched[method])).First();
        return new RepairAtEqualTask(method, scale, forgetting, forgetting / _unscaled.Forgetting);
    }

    private static double Between(double one, double next, double share) => one + ((next - one) * share);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

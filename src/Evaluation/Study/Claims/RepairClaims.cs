using static MLNetLoRA.Evaluation.ClaimText;

namespace MLNetLoRA.Evaluation;

/// <summary>What the paper and its critics say of scaling intruders down.</summary>
internal static class RepairClaims
{
    // The paper's usual scale.
    private const double Scale = 0.7;

    // What counts as giving back: a twentieth of the forgetting.
    private const double GivenBack = 0.05;

    // What may be lost of accuracy.
    private const double Lost = 0.01;

    // Less forgetting than this many standard errors cannot be shared out.
    private const double Clear = 2;

    private const string NoCurve = "no repair was measured of a LoRA model that has intruders and clearly forgets";

    public static IEnumerable<StudyClaim> Judge(StudyEvidence evidence)
    {
        List<(string Name, RepairCurve Curve)> curves =
        [
            .. evidence.Runs.Where(run => run.Tuning.Method is FineTuningMethod.Lora && run.Repair is { IntruderCount: > 0 } curve
                    && curve.Unscaled.Forgetting > Clear * curve.Unscaled.StandardError)
                .Select(run => (run.Tuning.Name, run.Repair!)),
        ];
        yield return ScalingGivesBack(curves);
        yield return NeighbourDoesNot(curves);
        yield return UniformDoesAsWell(curves);
    }

    private static StudyClaim ScalingGivesBack(List<(string Name, RepairCurve Curve)> curves)
    {
        var found = At(curves, RepairMethod.Top);
        var (ours, verdict) = found.Count > 0
            ? (string.Join("; ", found.Select(one => Say(
                $"{one.Name}: forgetting {one.Point.RelativeToUnscaled - 1:+0.0%;-0.0%;0.0%}, accuracy {one.Point.Accuracy - one.Curve.UnscaledTask!.Accuracy:+0.000;-0.000;0.000}"))),
                Verdict(found.Average(one => one.Point.RelativeToUnscaled) <= 1 - GivenBack
                    && found.Average(one => one.Curve.UnscaledTask!.Accuracy - one.Point.Accuracy!.Value) <= Lost))
            : (NoCurve, StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "Scaling the top intruder gives back what was forgotten", "Table 3", "λ 0.7: QQP r 8 forgetting -33.2 %, accuracy -0.0 %; MNLI r 8 -14.5 %, -0.2 %", ours,
            Say($"agree: at λ {Scale}, on average over the models measured, forgetting falls by {GivenBack:P0} or more and accuracy by at most {Lost}"), verdict);
    }

    private static StudyClaim NeighbourDoesNot(List<(string Name, RepairCurve Curve)> curves)
    {
        var found = At(curves, RepairMethod.Neighbour);
        var (ours, verdict) = found.Count > 0
            ? (string.Join("; ", found.Select(one => Say($"{one.Name}: forgetting {one.Point.RelativeToUnscaled - 1:+0.0%;-0.0%;0.0%}"))),
                Verdict(found.Average(one => one.Point.RelativeToUnscaled) > 1))
            : (NoCurve, StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "Scaling the pretrained direction beside it does not", "Fig. 12", "forgetting rises", ours,
            Say($"agree: at λ {Scale}, on average over the models measured, forgetting rises"), verdict);
    }

    private static StudyClaim UniformDoesAsWell(List<(string Name, RepairCurve Curve)> curves)
    {
        var found = curves.Select(one => (one.Name, one.Curve, Intruders: Least(one.Curve, RepairMethod.Top, RepairMethod.All), Uniform: Least(one.Curve, RepairMethod.Uniform, RepairMethod.UniformGlobal)))
            .Where(one => double.IsFinite(one.Intruders) && double.IsFinite(one.Uniform)).ToList();
        var (ours, verdict) = found.Count > 0
            ? (string.Join("; ", found.Select(one => Say(
                $"{one.Name}: uniform {one.Uniform:F3}, intruders {one.Intruders:F3}, of {one.Curve.Unscaled.Forgetting:F3}"))),
                Verdict(found.All(one => one.Uniform <= one.Intruders + one.Curve.Unscaled.StandardError)))
            : (NoCurve, StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "Shrinking the whole change does as well", "review", "similar trade-offs, as the authors grant", ours,
            "agree: at equal accuracy (the tolerance below the untouched model's) uniform shrinking leaves no more forgetting than scaling intruders, within one standard error, in every model measured", verdict);
    }

    private static List<(string Name, RepairCurve Curve, RepairPoint Point)> At(List<(string Name, RepairCurve Curve)> curves, RepairMethod method) =>
    [
        .. curves.SelectMany(one => one.Curve.Points.Where(point => point.Which == method && point.Scale == Scale && point.Accuracy is not null)
            .Select(point => (one.Name, one.Curve, point))),
    ];

    private static double Least(RepairCurve curve, params RepairMethod[] methods) =>
        curve.AtEqualTask.Where(equal => methods.Contains(equal.Which)).Select(equal => equal.Forgetting).DefaultIfEmpty(double.NaN).Min();
}

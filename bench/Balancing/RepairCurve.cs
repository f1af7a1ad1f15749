namespace MLNetLoRA.Bench.Balancing;

/// <summary>One state of a repaired model.</summary>
/// <param name="Setting">μ of the balanced repair, or the factor of the uniform one.</param>
/// <param name="Accuracy">Share of the test rows named rightly.</param>
/// <param name="Forgetting">Loss on retention text less the base's, in nats per token.</param>
internal sealed record RepairPoint(double Setting, double Accuracy, double Forgetting);

/// <summary>A repair from the untouched model, first, to one without the change, last.</summary>
internal sealed record RepairCurve(IReadOnlyList<RepairPoint> Points)
{
    /// <summary>Forgetting where accuracy has fallen to a level: at the first crossing, between the two points around it.</summary>
    /// <remarks>A curve that dips below the level and comes back is taken at the dip: nobody would choose a setting by luck.</remarks>
    /// <returns>The last point's where accuracy never falls that low.</returns>
    public double ForgettingAt(double accuracy)
    {
        for (var n = 1; n < Points.Count; n++)
        {
            var (before, after) = (Points[n - 1], Points[n]);
            if (after.Accuracy >= accuracy) continue;
            var share = (before.Accuracy - accuracy) / (before.Accuracy - after.Accuracy);
            return before.Forgetting + (share * (after.Forgetting - before.Forgetting));
        }
        return Points[^1].Forgetting;
    }
}

namespace MLNetLoRA.Bench.Balancing;

/// <summary>One fine-tuned model and its two repairs.</summary>
/// <param name="Task">The task's short name.</param>
/// <param name="TunedBy">The method's short name.</param>
/// <param name="Seed">Of the whole fit.</param>
/// <param name="Balanced">By rising strength.</param>
/// <param name="Uniform">By falling factor.</param>
/// <param name="Seconds">Training and both curves.</param>
/// <param name="Weights">Content hash of the base.</param>
internal sealed record BalanceRun(string Task, string TunedBy, int Seed, RepairCurve Balanced, RepairCurve Uniform, double Seconds, string Weights)
{
    /// <summary>What identifies a run, as a file name.</summary>
    public static string Key(BalanceTask task, TunedBy method, int seed, string weights) => $"{task.Name}-{method.Name}-{seed}-{weights[..12]}.json";

    /// <summary>Accuracy of the untouched model.</summary>
    public double Accuracy => Balanced.Points[0].Accuracy;

    /// <summary>Forgetting of the untouched model.</summary>
    public double Forgetting => Balanced.Points[0].Forgetting;

    /// <summary>The accuracy at which a share of what fine-tuning brought is left; without the change the trained head reads the base.</summary>
    public double AccuracyAt(double share) => Uniform.Points[^1].Accuracy + (share * (Accuracy - Uniform.Points[^1].Accuracy));

    /// <summary>How much less the balanced repair forgets than the uniform one where both have the same accuracy, in nats per token.</summary>
    public double LeadAt(double share) => Uniform.ForgettingAt(AccuracyAt(share)) - Balanced.ForgettingAt(AccuracyAt(share));
}

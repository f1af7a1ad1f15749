namespace MLNetLoRA.Bench.Pretrained;

/// <summary>One contender, one task, one seed.</summary>
/// <param name="Task">The task's short name.</param>
/// <param name="Contender">The contender's short name.</param>
/// <param name="Seed">Of the whole fit.</param>
/// <param name="Accuracy">Share of the test rows classified correctly.</param>
/// <param name="MacroAccuracy">Mean of the classes' own accuracies.</param>
/// <param name="LogLoss">Mean −ln of the true class's probability on the test rows, in nats.</param>
/// <param name="Seconds">How long Fit took.</param>
/// <param name="Weights">Content hash of the base's weights; null where they play no part.</param>
internal sealed record Measurement(
    string Task, string Contender, int Seed, double Accuracy, double MacroAccuracy, double LogLoss, double Seconds, string? Weights)
{
    /// <summary>What identifies a measurement, as a file name.</summary>
    public static string Key(ClassificationTask task, Contender contender, int seed, string? weights) =>
        $"{task.Name}-{contender.Name}-{seed}{(weights is null ? "" : $"-{weights[..12]}")}.json";
}

using System.Text.Json.Serialization;

namespace MLNetLoRA.Trainers;

/// <summary>A mean over steps of different weight, while they are counted.</summary>
/// <param name="Summed">Losses in nats times their weights.</param>
/// <param name="Weight">The weights: rows or tokens.</param>
[method: JsonConstructor]
internal readonly record struct LossSum(double Summed, double Weight)
{
    /// <summary>The mean in nats; not a number before the first step.</summary>
    public double Mean() => Summed / Weight;

    public LossSum Plus(double meanLoss, double weight) => new(Summed + meanLoss * weight, Weight + weight);
}

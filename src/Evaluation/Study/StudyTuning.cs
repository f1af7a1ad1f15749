using static System.FormattableString;

namespace MLNetLoRA;

/// <summary>A way to fine-tune, learning rate and seed aside.</summary>
/// <remarks>Immutable; equal when it is the same training.</remarks>
public sealed record StudyTuning
{
    /// <summary>What is trained.</summary>
    public required FineTuningMethod Method { get; init; }

    /// <summary>LoRA's inner dimension; null for full fine-tuning.</summary>
    public int? Rank { get; init; }

    /// <summary>LoRA's alpha; null for full fine-tuning.</summary>
    public double? Alpha { get; init; }

    /// <summary>Whether A has orthonormal rows and stays as it was drawn, so that only B is trained.</summary>
    public bool TrainsOnlyB { get; init; }

    /// <summary>All weights.</summary>
    public static StudyTuning Full { get; } = new() { Method = FineTuningMethod.Full };

    /// <summary>Low-rank corrections.</summary>
    /// <param name="rank">1 or more.</param>
    /// <param name="alpha">Above 0; null for 2 · rank.</param>
    /// <param name="trainsOnlyB">As <see cref="TrainsOnlyB"/>.</param>
    public static StudyTuning Lora(int rank, double? alpha = null, bool trainsOnlyB = false) => new()
    {
        Method = FineTuningMethod.Lora, Rank = rank, Alpha = alpha ?? 2.0 * rank, TrainsOnlyB = trainsOnlyB,
    };

    /// <summary>What reports call it, "LoRA r 8, α 16" for example.</summary>
    public string Name => Method is FineTuningMethod.Full ? "full" : Invariant($"{(TrainsOnlyB ? "only B" : "LoRA")} r {Rank}, α {Alpha}");

    /// <summary>Training options that do this.</summary>
    internal TextClassificationOptions Apply(TextClassificationOptions training) => Method is FineTuningMethod.Full ? training : training with
    {
        Lora = training.Lora with
        {
            Rank = Rank ?? 0, Alpha = Alpha, FreezesA = TrainsOnlyB,
            Initialization = TrainsOnlyB ? LoraInitialization.Orthogonal : training.Lora.Initialization,
        },
    };
}

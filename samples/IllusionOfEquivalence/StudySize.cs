namespace IllusionOfEquivalence;

/// <summary>How much of everything.</summary>
/// <param name="TrainingRows">Definitions to learn from.</param>
/// <param name="TestRows">Definitions to be judged by.</param>
/// <param name="Epochs">Passes over the training rows, the same for LoRA and full fine-tuning.</param>
/// <param name="Seeds">Each way of training is run once for each.</param>
/// <param name="Positions">Tokens of the retention text that are hidden, each alone.</param>
/// <param name="Scales">What repairs multiply by.</param>
/// <param name="Strengths">How strongly the balanced repair keeps what the base knew.</param>
internal sealed record StudySize(int TrainingRows, int TestRows, int Epochs, int[] Seeds, int Positions, double[] Scales, double[] Strengths)
{
    /// <summary>A quick check that everything works.</summary>
    public static StudySize Short { get; } = new(240, 120, 1, [1], 100, [0.7, 1], [0.5]);

    /// <summary>Enough to tell ways of training apart.</summary>
    public static StudySize Full { get; } = new(1800, 1200, 4, [1, 2, 3], 800, [0, 0.3, 0.5, 0.7, 0.9, 1], [0.1, 0.2, 0.5, 1, 2, 5]);
}

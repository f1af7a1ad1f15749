namespace MLNetLoRA;

/// <summary>A way to fine-tune and the learning rates to try it at.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Tuning">The way.</param>
public sealed record StudyVariant(StudyTuning Tuning)
{
    /// <summary>Peak learning rates, one run for each and each seed.</summary>
    /// <value>Each above 0, none twice; empty, the default, takes the one that the base's card recommends.</value>
    public IReadOnlyList<double> LearningRates { get; init; } = [];

    /// <summary>Whether repairs of the model are measured, for the first learning rate and the first seed.</summary>
    /// <value>Default false: a curve takes as long as some tens of tests.</value>
    public bool MeasuresRepair { get; init; }

    /// <summary>
    /// Whether intruders are counted after each epoch, for the first learning rate and the first seed: by training again, at a constant rate, for
    /// one epoch, for two, and so on.
    /// </summary>
    /// <value>Default false.</value>
    public bool MeasuresGrowth { get; init; }

    /// <summary>The rates, the recommended one where none is given.</summary>
    internal IReadOnlyList<double> RatesFor(PretrainedModel model, TextClassificationOptions training) => LearningRates.Count > 0
        ? LearningRates
        : [(Tuning.Apply(training) with { LearningRate = null }).EffectiveLearningRate(model, Tuning.Method)];
}

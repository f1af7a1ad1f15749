namespace MLNetLoRA;

/// <summary>One training of a study and all that was measured of it.</summary>
/// <remarks>Immutable and thread-safe; holds no tensor. Losses in nats, accuracies and shares in [0, 1], times in seconds.</remarks>
public sealed record StudyRun
{
    /// <summary>How it was trained.</summary>
    public required StudyTuning Tuning { get; init; }

    /// <summary>Peak learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>The training's seed.</summary>
    public required int Seed { get; init; }

    /// <summary>Mean training loss of the last epoch.</summary>
    public required double TrainLoss { get; init; }

    /// <summary>On the test rows.</summary>
    public required TaskMetric Task { get; init; }

    /// <summary>Loss on retention text less the base's, in nats per token.</summary>
    public required double Forgetting { get; init; }

    /// <summary>Of <see cref="Forgetting"/>, for the draw of the hidden tokens.</summary>
    public required double ForgettingError { get; init; }

    /// <summary>Intruders and their energy at every threshold and top k.</summary>
    public required IReadOnlyList<StudyCount> Counts { get; init; }

    /// <summary>‖ΔW‖ of all matrices together.</summary>
    public required double DeltaFrobenius { get; init; }

    /// <summary>Mean effective rank of the matrices' changes.</summary>
    public required double EffectiveRank { get; init; }

    /// <summary>Each matrix, at the first threshold and top k. In a report's JSON they are left out; files of kept runs have them.</summary>
    public required IReadOnlyList<StudyMatrix> Matrices { get; init; }

    /// <summary>After each epoch; empty where that was not asked for.</summary>
    public required IReadOnlyList<StudySnapshot> Growth { get; init; }

    /// <summary>What repairs give back; null where that was not asked for.</summary>
    public required RepairCurve? Repair { get; init; }

    /// <summary>What BalanceRetention gives back, by strength; empty where that was not asked for.</summary>
    public required IReadOnlyList<StudyBalance> Balance { get; init; }

    /// <summary>
    /// The leading singular vectors of the matrix with most intruders beside the base's, to two digits; null where no repair was asked for. In a
    /// report's JSON it is left out.
    /// </summary>
    public required SingularVectorSimilarity? Similarity { get; init; }

    /// <summary>How long training took.</summary>
    public required double TrainingSeconds { get; init; }

    /// <summary>How long training and all measurements took.</summary>
    public required double Seconds { get; init; }

    /// <summary>Intruders in all matrices, at the first threshold and top k.</summary>
    public int Intruders => Counts[0].Intruders;

    /// <summary>Σσ² of the intruders over Σσ² of the leading k of all matrices, at the first threshold and top k.</summary>
    public double EnergyShare => Counts[0].EnergyShare;
}

/// <summary>Intruders of a run at one threshold and top k.</summary>
/// <param name="Epsilon">The threshold.</param>
/// <param name="TopK">How many leading singular vectors of each matrix were judged.</param>
/// <param name="Intruders">In all matrices.</param>
/// <param name="EnergyShare">Σσ² of the intruders over Σσ² of the leading k, of all matrices together.</param>
public sealed record StudyCount(double Epsilon, int TopK, int Intruders, double EnergyShare);

/// <summary>One matrix of a run.</summary>
/// <param name="Name">Its checkpoint key without ".weight".</param>
/// <param name="Intruders">How many.</param>
/// <param name="EnergyShare">Their share of the leading k squared singular values.</param>
/// <param name="DeltaFrobenius">‖ΔW‖.</param>
/// <param name="EffectiveRank">Of ΔW.</param>
public sealed record StudyMatrix(string Name, int Intruders, double EnergyShare, double DeltaFrobenius, double EffectiveRank);

/// <summary>A run's weights after some epochs at a constant learning rate.</summary>
/// <param name="Epochs">How many.</param>
/// <param name="Intruders">In all matrices, at the first threshold and top k.</param>
/// <param name="EnergyShare">Their share, as in <see cref="StudyCount"/>.</param>
/// <param name="DeltaFrobenius">‖ΔW‖ of all matrices together.</param>
public sealed record StudySnapshot(int Epochs, int Intruders, double EnergyShare, double DeltaFrobenius);

namespace MLNetLoRA.Evaluation;

/// <summary>What claims are judged by: runs, and averages over seeds.</summary>
/// <param name="Setup">What the runs had in common.</param>
/// <param name="Runs">All runs.</param>
/// <param name="Points">Averages over seeds.</param>
/// <param name="Comparisons">With full fine-tuning, at equal accuracy.</param>
internal sealed record StudyEvidence(
    StudySetup Setup, IReadOnlyList<StudyRun> Runs, IReadOnlyList<StudyPoint> Points, IReadOnlyList<StudyComparison> Comparisons)
{
    /// <summary>The fewest learning rates that make a sweep.</summary>
    public const int FewestRates = 3;

    /// <summary>The paper finds intruders in LoRA up to this rank.</summary>
    public const int LowRank = 16;

    /// <summary>Full fine-tuning at its most accurate rate; null where there is none.</summary>
    public StudyPoint? Full => Best(StudyTuning.Full);

    /// <summary>LoRA with alpha 2 · rank, each rank at its most accurate rate, ascending.</summary>
    public IReadOnlyList<StudyPoint> Lora => BestOf(IsLora);

    /// <summary>LoRA with alpha 8, each rank at its most accurate rate, ascending.</summary>
    public IReadOnlyList<StudyPoint> LoraOfAlpha8 => BestOf(IsAlpha8);

    /// <summary>Only B trained, each rank at its most accurate rate, ascending.</summary>
    public IReadOnlyList<StudyPoint> OnlyB => BestOf(tuning => tuning.TrainsOnlyB);

    /// <summary>LoRA, A and B trained, at three learning rates or more.</summary>
    public IReadOnlyList<StudyTuning> SweptLora =>
    [
        .. Points.Where(point => point.Tuning is { Method: FineTuningMethod.Lora, TrainsOnlyB: false }).CountBy(point => point.Tuning)
            .Where(pair => pair.Value >= FewestRates).Select(pair => pair.Key),
    ];

    public static bool IsLora(StudyTuning tuning) => tuning is { Method: FineTuningMethod.Lora, TrainsOnlyB: false } && tuning.Alpha == 2 * tuning.Rank;

    public static bool IsAlpha8(StudyTuning tuning) => tuning is { Method: FineTuningMethod.Lora, TrainsOnlyB: false, Alpha: 8 };

    /// <summary>The most accurate rate of a way; null where there is none.</summary>
    public StudyPoint? Best(StudyTuning tuning) => Points.Where(point => point.Tuning == tuning).MaxBy(point => point.Accuracy);

    /// <summary>The runs behind an average.</summary>
    public IReadOnlyList<StudyRun> RunsOf(StudyPoint point) => [.. Runs.Where(run => run.Tuning == point.Tuning && run.LearningRate == point.LearningRate)];

    private IReadOnlyList<StudyPoint> BestOf(Func<StudyTuning, bool> isMeant) =>
        [.. Points.Select(point => point.Tuning).Where(isMeant).Distinct().Select(tuning => Best(tuning)!).OrderBy(point => point.Tuning.Rank)];
}

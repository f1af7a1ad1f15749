namespace MLNetLoRA.Evaluation;

/// <summary>From runs to averages, comparisons, correlations and claims.</summary>
internal static class StudyAnalysis
{
    // Fewer pairs than this can hardly be told from chance.
    private const int FewestRuns = 5;

    private static readonly (string Name, Func<StudyRun, double> Of)[] Measures =
        [("intruders", run => run.Intruders), ("energy share", run => run.EnergyShare), ("‖ΔW‖", run => run.DeltaFrobenius)];

    public static StudyReport Of(StudySetup setup, IReadOnlyList<StudyRun> runs, IReadOnlyList<StudyFailure> failures, double seconds)
    {
        List<StudyPoint> points = [.. runs.GroupBy(run => (run.Tuning, run.LearningRate)).Select(group => StudyPoint.Of([.. group]))];
        List<StudyComparison> comparisons =
        [
            .. points.Select(point => point.Tuning).Distinct().Where(tuning => tuning != StudyTuning.Full)
                .Select(tuning => EqualAccuracy.Compare(tuning, runs)).OfType<StudyComparison>(),
        ];
        var evidence = new StudyEvidence(setup, runs, points, comparisons);
        return new StudyReport
        {
            Setup = setup,
            Runs = runs,
            Failures = failures,
            Points = points,
            AtEqualAccuracy = comparisons,
            Correlations = [.. Correlations(evidence)],
            Claims = [.. IntruderClaims.Judge(evidence), .. ForgettingClaims.Judge(evidence), .. RepairClaims.Judge(evidence), .. UnmeasuredClaims.All],
            Seconds = seconds,
        };
    }

    private static IEnumerable<StudyCorrelation> Correlations(StudyEvidence evidence)
    {
        var groups = new List<(string Name, List<StudyRun> Runs)>
        {
            ("all runs", [.. evidence.Runs]),
            ("all LoRA runs", [.. evidence.Runs.Where(run => run.Tuning.Method is FineTuningMethod.Lora)]),
        };
        if (evidence.Points.Count(point => point.Tuning == StudyTuning.Full) >= StudyEvidence.FewestRates) groups.Add(Sweep(StudyTuning.Full));
        groups.AddRange(evidence.SweptLora.Select(Sweep));
        foreach (var (name, runs) in groups.Where(group => group.Runs.Count >= FewestRuns))
            foreach (var (measure, of) in Measures)
                yield return new StudyCorrelation(name, measure, RankCorrelation.Spearman([.. runs.Select(of)], [.. runs.Select(run => run.Forgetting)]));

        (string, List<StudyRun>) Sweep(StudyTuning tuning) => ($"{tuning.Name}, all rates", [.. evidence.Runs.Where(run => run.Tuning == tuning)]);
    }
}

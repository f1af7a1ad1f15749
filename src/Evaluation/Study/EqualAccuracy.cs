namespace MLNetLoRA.Evaluation;

/// <summary>Holds ways of fine-tuning against full fine-tuning at one task accuracy.</summary>
internal static class EqualAccuracy
{
    /// <summary>The comparison; null where no seed has runs of both.</summary>
    public static StudyComparison? Compare(StudyTuning tuning, IReadOnlyList<StudyRun> runs)
    {
        var pairs = new List<(double Accuracy, double Full, double Other)>();
        foreach (var ofSeed in runs.GroupBy(run => run.Seed))
        {
            var (full, other) = (Path(ofSeed, StudyTuning.Full), Path(ofSeed, tuning));
            if (full.Count == 0 || other.Count == 0) continue;
            var accuracy = Math.Min(full.Max(point => point.Accuracy), other.Max(point => point.Accuracy));
            pairs.Add((accuracy, LeastForgetting(full, accuracy), LeastForgetting(other, accuracy)));
        }
        if (pairs.Count == 0) return null;
        return new StudyComparison(
            tuning, pairs.Average(pair => pair.Accuracy), pairs.Average(pair => pair.Full), pairs.Average(pair => pair.Other),
            SampleMean.StandardError([.. pairs.Select(pair => pair.Other - pair.Full)]), pairs.Count);
    }

    /// <summary>What balancing leaves of a run's forgetting at an accuracy or better; null where it was not measured.</summary>
    public static double? OfBalance(StudyRun run, double accuracy) => run.Balance.Count == 0 || run.Task.Accuracy < accuracy
        ? null
        : LeastForgetting([(run.Task.Accuracy, run.Forgetting), .. run.Balance.Select(point => (point.Task.Accuracy, point.Forgetting))], accuracy);

    /// <summary>The least forgetting at an accuracy or better, on straight lines between neighbouring points.</summary>
    /// <param name="path">Points by learning rate; at least one is accurate enough.</param>
    /// <param name="accuracy">The accuracy wanted.</param>
    public static double LeastForgetting(IReadOnlyList<(double Accuracy, double Forgetting)> path, double accuracy)
    {
        var candidates = path.Where(point => point.Accuracy >= accuracy).Select(point => point.Forgetting).ToList();
        foreach (var (one, next) in path.Zip(path.Skip(1)))
        {
            if (one.Accuracy >= accuracy == next.Accuracy >= accuracy) continue;
            var share = (accuracy - one.Accuracy) / (next.Accuracy - one.Accuracy);
            candidates.Add(one.Forgetting + (share * (next.Forgetting - one.Forgetting)));
        }
        return candidates.Min();
    }

    private static List<(double Accuracy, double Forgetting)> Path(IEnumerable<StudyRun> runs, StudyTuning tuning) =>
        [.. runs.Where(run => run.Tuning == tuning).OrderBy(run => run.LearningRate).Select(run => (run.Task.Accuracy, run.Forgetting))];
}

namespace MLNetLoRA.Transforms;

/// <summary>Chooses μ by accuracy on validation rows: the moments are there, so each value costs one solution per matrix and one pass of the rows.</summary>
internal static class StrengthSearch
{
    /// <summary>The largest μ within the tolerance, and what each one gave.</summary>
    /// <param name="options">The grid and the tolerance.</param>
    /// <param name="accuracy">What a μ gives on the validation rows.</param>
    /// <returns>Trials in ascending order; 0 is among them.</returns>
    public static (double Strength, IReadOnlyList<StrengthTrial> Trials) Choose(BalanceOptions options, Func<double, double> accuracy)
    {
        var trials = options.StrengthGrid.Append(0).Distinct().Order().Select(strength => new StrengthTrial(strength, accuracy(strength))).ToList();
        var wanted = trials.Single(trial => trial.Strength == 0).Accuracy - options.AccuracyTolerance;
        return (trials.Last(trial => trial.Accuracy >= wanted).Strength, trials);
    }
}

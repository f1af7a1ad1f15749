using Microsoft.ML;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Transforms;

/// <summary>Chooses λ by accuracy on validation rows: one network over the same weights for each value, with other factors.</summary>
internal sealed class ScaleSearch(ValidationRows rows)
{
    /// <summary>The smallest λ within the tolerance, and what each one gave.</summary>
    /// <param name="classifier">The model at λ = 1.</param>
    /// <param name="spectra">Its spectra.</param>
    /// <param name="options">The grid, the tolerance, and what is rescaled.</param>
    /// <returns>Trials in ascending order; 1 is among them.</returns>
    public (double Scale, IReadOnlyList<ScaleTrial> Trials) Choose(TextClassifier classifier, ModelSpectra spectra, IntruderOptions options)
    {
        var trials = options.ScaleGrid.Append(1).Distinct().Order().Select(scale => new ScaleTrial(scale, Accuracy(classifier, spectra, options, scale))).ToList();
        var wanted = trials.Single(trial => trial.Scale == 1).Accuracy - options.AccuracyTolerance;
        return (trials.First(trial => trial.Accuracy >= wanted).Scale, trials);
    }

    private double Accuracy(TextClassifier classifier, ModelSpectra spectra, IntruderOptions options, double scale)
    {
        using var corrections = new ModelCorrections(modelFingerprint: "") { Factors = spectra.Rescale(options.Rescaling(scale), options.Rank).Corrections };
        return rows.Accuracy(classifier, corrections);
    }
}

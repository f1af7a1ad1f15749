using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>What can be done to a fine-tuned model after its training, beside ML.NET's other transforms.</summary>
public static class IntruderRescalingCatalog
{
    /// <summary>
    /// Scales the intruder dimensions of the fine-tuned model upstream: singular directions of its weights that the pretrained weights do not
    /// have. Scaled down, they give back some of what fine-tuning forgot.
    /// </summary>
    /// <remarks>Source: arXiv 2410.21228, section 5. Append it anywhere after the trainer; it replaces the predicted label and the scores.</remarks>
    /// <param name="catalog">mlContext.Transforms.</param>
    /// <param name="scale">λ, 0 or more: 1 leaves an intruder as it is, 0 removes it.</param>
    /// <param name="scoreColumnName">The score column of the fine-tuned model.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static IntruderRescalingEstimator RescaleIntruderDimensions(
        this TransformsCatalog catalog, double scale = IntruderOptions.DefaultScale, string scoreColumnName = OptionDefaults.Score) =>
        catalog.RescaleIntruderDimensions(new IntruderOptions { Scale = scale, ScoreColumnName = scoreColumnName });

    /// <summary>Scales the intruder dimensions of the fine-tuned model upstream, with all settings.</summary>
    /// <param name="catalog">mlContext.Transforms.</param>
    /// <param name="options">All settings.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static IntruderRescalingEstimator RescaleIntruderDimensions(this TransformsCatalog catalog, IntruderOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new IntruderRescalingEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }
}

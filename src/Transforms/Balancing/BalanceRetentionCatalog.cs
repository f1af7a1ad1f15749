using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>Giving back what fine-tuning made a model forget, beside ML.NET's other transforms.</summary>
public static class BalanceRetentionCatalog
{
    /// <summary>
    /// Takes out of the fine-tuned model upstream what disturbs its base's general knowledge, and keeps what its task needs: in closed form,
    /// without training.
    /// </summary>
    /// <remarks>
    /// Append it anywhere after the trainer; it replaces the predicted label and the scores. For each matrix, with second moments C_t of the
    /// layer's inputs on the rows it is fitted on and C_r on the retention texts, ΔW′ = ΔW·C_t·(C_t + μ·C_r)⁻¹.
    /// </remarks>
    /// <param name="catalog">mlContext.Transforms.</param>
    /// <param name="retentionTexts">Texts of the kind whose knowledge is to be kept; read once, now. Some hundred sentences are enough.</param>
    /// <param name="strength">μ, 0 or more: 0 changes nothing, large values undo the fine-tuning.</param>
    /// <param name="scoreColumnName">The score column of the fine-tuned model.</param>
    /// <exception cref="ArgumentException">A setting is out of range, or there are no texts; the message lists every fault.</exception>
    public static BalanceRetentionEstimator BalanceRetention(
        this TransformsCatalog catalog, IEnumerable<string> retentionTexts, double strength = BalanceOptions.DefaultStrength,
        string scoreColumnName = OptionDefaults.Score)
    {
        ArgumentNullException.ThrowIfNull(retentionTexts);
        return catalog.BalanceRetention(new BalanceOptions { RetentionTexts = [.. retentionTexts], Strength = strength, ScoreColumnName = scoreColumnName });
    }

    /// <summary>Takes out of the fine-tuned model upstream what disturbs its base's general knowledge, with all settings.</summary>
    /// <param name="catalog">mlContext.Transforms.</param>
    /// <param name="options">All settings.</param>
    /// <exception cref="ArgumentException">A setting is out of range, or there are no texts; the message lists every fault.</exception>
    public static BalanceRetentionEstimator BalanceRetention(this TransformsCatalog catalog, BalanceOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BalanceRetentionEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }
}

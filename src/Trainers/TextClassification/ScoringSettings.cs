namespace MLNetLoRA.Trainers;

/// <summary>What of the options outlives the fit.</summary>
/// <param name="ScoreKind">Probabilities or logits.</param>
/// <param name="BatchSize">Rows in one scoring pass.</param>
/// <param name="BaseStorage">What a saved model holds of the base.</param>
internal sealed record ScoringSettings(ScoreKind ScoreKind, int BatchSize, BaseStorage BaseStorage)
{
    public static ScoringSettings From(TextClassificationOptions options) => new(options.ScoreKind, options.BatchSize, options.BaseStorage);
}

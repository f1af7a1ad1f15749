namespace MLNetLoRA.Transforms;

/// <summary>What a fit decided, as numbers.</summary>
/// <param name="ScoreColumnName">The column that leads to the model.</param>
/// <param name="Strength">μ.</param>
/// <param name="TaskTokens">Tokens of task rows that the moments were collected on.</param>
/// <param name="RetentionTokens">Tokens of retention texts that the moments were collected on.</param>
/// <param name="Plans">What it does to each matrix.</param>
/// <param name="Trials">What each μ gave on the validation rows; empty without any.</param>
internal sealed record BalanceOutcome(
    string ScoreColumnName, double Strength, long TaskTokens, long RetentionTokens, IReadOnlyList<BalancePlan> Plans, IReadOnlyList<StrengthTrial> Trials);

namespace MLNetLoRA.Transforms;

/// <summary>What a fit decided, as numbers.</summary>
/// <param name="ScoreColumnName">The column that leads to the model.</param>
/// <param name="Which">What was rescaled.</param>
/// <param name="Scale">λ.</param>
/// <param name="Plans">What it does to each matrix.</param>
/// <param name="Trials">What each λ gave on the validation rows; empty without any.</param>
internal sealed record RescalingOutcome(
    string ScoreColumnName, RescalingKind Which, double Scale, IReadOnlyList<RescalingPlan> Plans, IReadOnlyList<ScaleTrial> Trials);

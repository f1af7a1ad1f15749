namespace MLNetLoRA;

/// <summary>One method at one scale.</summary>
/// <param name="Which">The method.</param>
/// <param name="Scale">1 leaves the model as it is, 0 removes what the method scales. Of <see cref="RepairMethod.Balance"/> the strength: 0 leaves the model as it is.</param>
/// <param name="Forgetting">Weighted loss on retention text less the base's, in nats per token.</param>
/// <param name="StandardError">Of <paramref name="Forgetting"/>.</param>
/// <param name="RelativeToUnscaled"><paramref name="Forgetting"/> divided by that of the model as it is: 1 where nothing changed, 0 where all is back; NaN where nothing was forgotten.</param>
/// <param name="Accuracy">Share of test rows predicted right; null without a test set.</param>
/// <param name="LogLoss">On the test rows, in nats; null without a test set.</param>
public sealed record RepairPoint(
    RepairMethod Which, double Scale, double Forgetting, double StandardError, double RelativeToUnscaled, double? Accuracy, double? LogLoss);

/// <summary>What a method reaches at the same task accuracy as the others, by linear interpolation between measured scales or strengths.</summary>
/// <param name="Which">The method.</param>
/// <param name="Scale">Where on its curve; between measured scales.</param>
/// <param name="Forgetting">The least forgetting at which the accuracy is still the wanted one, in nats per token.</param>
/// <param name="RelativeToUnscaled">Divided by the forgetting of the model as it is.</param>
public sealed record RepairAtEqualTask(RepairMethod Which, double Scale, double Forgetting, double RelativeToUnscaled);

/// <summary>A method and its strength.</summary>
/// <param name="Which">The method.</param>
/// <param name="Scale">One of the measured scales or strengths.</param>
public sealed record RepairChoice(RepairMethod Which, double Scale);

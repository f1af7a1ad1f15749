using Microsoft.ML;
using MLNetLoRA.Trainers;
using static System.FormattableString;

namespace MLNetLoRA;

/// <summary>Training stopped because the loss or the gradient was no longer a number.</summary>
public sealed class TrainingDivergedException : Exception
{
    internal TrainingDivergedException(
        Divergence divergence, int? lastGoodEpoch, ITransformer? lastGoodModel = null, MaskedLanguageModelFit? lastGoodEncoder = null)
        : base(Invariant($"Loss became {Spell(divergence.Loss)} at step {divergence.Step} (learning rate {divergence.LearningRate:G4}). Lower LearningRate or set MaxGradientNorm.")
            + (lastGoodEpoch is null ? "" : $" The model of epoch {lastGoodEpoch}, the last good one, is in {(lastGoodModel is null ? nameof(LastGoodEncoder) : nameof(LastGoodModel))}."))
    {
        (Step, Loss, LearningRate) = (divergence.Step, divergence.Loss, divergence.LearningRate);
        (LastGoodEpoch, LastGoodModel, LastGoodEncoder) = (lastGoodEpoch, lastGoodModel, lastGoodEncoder);
    }

    /// <summary>The optimizer step at which it happened, 1-based.</summary>
    public long Step { get; }

    /// <summary>The loss of that step: NaN or an infinity; finite when only the gradient overflowed.</summary>
    public double Loss { get; }

    /// <summary>The learning rate of that step.</summary>
    public double LearningRate { get; }

    /// <summary>The last epoch that ended with finite numbers (with validation: the best of them), 1-based; null when none did.</summary>
    public int? LastGoodEpoch { get; }

    /// <summary>The classifier as it was after <see cref="LastGoodEpoch"/>; the caller disposes it. Null when there is none.</summary>
    public ITransformer? LastGoodModel { get; }

    /// <summary>The pretrained encoder as it was after <see cref="LastGoodEpoch"/>; the caller disposes it. Null when there is none.</summary>
    public MaskedLanguageModelFit? LastGoodEncoder { get; }

    private static string Spell(double loss) => 
        double.IsFinite(loss) ? Invariant($"{loss:G4} with a gradient that is not finite") : Invariant($"{loss}");
}

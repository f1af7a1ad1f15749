using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>What a network learns from: rows that give a loss, and, perhaps, held-out rows that judge it.</summary>
internal interface ITrainingTask
{
    /// <summary>The network in training.</summary>
    nn.Module Network { get; }

    /// <summary>How many training rows there are.</summary>
    int RowCount { get; }

    /// <summary>What the loss of these rows weighs: it is the divisor that turns summed losses into a mean. Above 0.</summary>
    double WeightOf(ReadOnlySpan<int> rows);

    /// <summary>The summed, weighted loss of these rows, a scalar with a gradient; the caller's dispose scope owns it.</summary>
    Tensor SummedLoss(ReadOnlySpan<int> rows);

    /// <summary>The network judged on the held-out rows, in evaluation mode and without gradients; null when there are none.</summary>
    ValidationOutcome? Validate(Action checkCancelled);
}

/// <summary>How a network did on held-out rows.</summary>
/// <param name="Loss">Mean loss in nats per row or token.</param>
/// <param name="Accuracy">Share of rows classified correctly, in [0, 1]; null for language modeling.</param>
/// <param name="MacroAccuracy">Mean of the classes' own accuracies; null for language modeling.</param>
internal sealed record ValidationOutcome(double Loss, double? Accuracy, double? MacroAccuracy)
{
    /// <summary>More rows right, or as many with a lower loss.</summary>
    public bool IsBetterThan(ValidationOutcome? other) =>
        double.IsFinite(Loss) && (other is null || Accuracy > other.Accuracy || (Accuracy == other.Accuracy && Loss < other.Loss));
}

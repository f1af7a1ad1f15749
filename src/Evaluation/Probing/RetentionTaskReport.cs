using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>What fine-tuning left of a model's use for another task: a fresh head on the base's frozen trunk beside one on the tuned trunk.</summary>
/// <remarks>Immutable and thread-safe; holds no tensor. Both heads begin with the same values and see the same rows in the same order.</remarks>
public sealed record RetentionTaskReport
{
    /// <summary>What the base is called.</summary>
    public required string BaseName { get; init; }

    /// <summary>How the model was fine-tuned: "lora" or "full".</summary>
    public required string Method { get; init; }

    /// <summary>The task's classes.</summary>
    public required IReadOnlyList<string> ClassNames { get; init; }

    /// <summary>Rows that the heads learned from.</summary>
    public required int TrainingRows { get; init; }

    /// <summary>Rows that they were tested on.</summary>
    public required int TestRows { get; init; }

    /// <summary>The head on the base's trunk.</summary>
    public required FreshHeadScore Base { get; init; }

    /// <summary>The head on the tuned trunk, rescalings included.</summary>
    public required FreshHeadScore Tuned { get; init; }

    /// <summary>Standard error of <see cref="AccuracyLost"/> over the draw of test rows, the two heads compared row by row.</summary>
    public required double StandardError { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Accuracy on the base's trunk less that on the tuned trunk: above 0 something was lost, below 0 something was gained.</summary>
    public double AccuracyLost => Base.Accuracy - Tuned.Accuracy;

    /// <summary>The report as a document: what was lost, and a table of the two heads.</summary>
    public ReportDocument ToDocument() => RetentionTaskDocument.Of(this);
}

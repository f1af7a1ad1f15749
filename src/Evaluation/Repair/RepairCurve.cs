using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>What repairs of several kinds and strengths give back of the pretraining, and what they cost of the task, as numbers.</summary>
/// <remarks>
/// Immutable and thread-safe; holds no tensor. Every point is measured on the same hidden tokens and test rows. Biases, norms and embeddings
/// that full fine-tuning moved stay as they are; repairs change matrices.
/// </remarks>
public sealed record RepairCurve
{
    /// <summary>The model as it is.</summary>
    public required ForgettingReport Unscaled { get; init; }

    /// <summary>Its task, on the test rows; null without a test set.</summary>
    public required TaskMetric? UnscaledTask { get; init; }

    /// <summary>How much accuracy a recommended repair may cost.</summary>
    public required double AccuracyTolerance { get; init; }

    /// <summary>Intruders in all matrices.</summary>
    public required int IntruderCount { get; init; }

    /// <summary>Every method at every scale, or strength, methods in the order given, scales ascending.</summary>
    public required IReadOnlyList<RepairPoint> Points { get; init; }

    /// <summary>Each method at an accuracy of <see cref="AccuracyTolerance"/> below the untouched model's; empty without a test set.</summary>
    public required IReadOnlyList<RepairAtEqualTask> AtEqualTask { get; init; }

    /// <summary>The measured point of least forgetting within the tolerance; null without a test set.</summary>
    public required RepairChoice? Recommended { get; init; }

    /// <summary>What the comparison says, in a sentence or two.</summary>
    public required string Conclusion { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>The curve as one JSON object: property names in snake_case, methods in kebab-case, null for what there is not.</summary>
    public string ToJson() => ReportJson.Of(this);

    /// <summary>The curve as a document: the conclusion, pictures with one line a method, and tables of the points and of the methods at equal accuracy.</summary>
    public ReportDocument ToDocument() => RepairCurveDocument.Of(this);

    /// <summary>The document as Markdown, without its pictures.</summary>
    public string ToMarkdown() => ToDocument().ToMarkdown();
}

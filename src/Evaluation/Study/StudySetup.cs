using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>What all runs of a study had in common.</summary>
/// <remarks>Immutable.</remarks>
public sealed record StudySetup
{
    /// <summary>What the base is called.</summary>
    public required string BaseName { get; init; }

    /// <summary>SHA-256 of the base's content.</summary>
    public required string BaseContentHash { get; init; }

    /// <summary>Rows to learn from.</summary>
    public required int TrainingRows { get; init; }

    /// <summary>Rows that judged.</summary>
    public required int TestRows { get; init; }

    /// <summary>Classes.</summary>
    public required int Classes { get; init; }

    /// <summary>Passes over the training rows.</summary>
    public required int Epochs { get; init; }

    /// <summary>Rows in a step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Longer rows were cut to this many tokens.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>The trainings' seeds.</summary>
    public required IReadOnlyList<int> Seeds { get; init; }

    /// <summary>Names of the retention corpora.</summary>
    public required IReadOnlyList<string> Corpora { get; init; }

    /// <summary>Which tokens of them were hidden.</summary>
    public required RetentionMeasure Measure { get; init; }

    /// <summary>How many at most.</summary>
    public required int Positions { get; init; }

    /// <summary>Thresholds; claims are judged at the first.</summary>
    public required IReadOnlyList<double> Epsilon { get; init; }

    /// <summary>Leading singular vectors; claims are judged at the first.</summary>
    public required IReadOnlyList<int> TopK { get; init; }

    internal static StudySetup Of(PretrainedModel model, LabelledTask rows, IReadOnlyList<RetentionCorpus> corpora, StudySettings settings) => new()
    {
        BaseName = model.Name,
        BaseContentHash = model.ContentHash,
        TrainingRows = rows.Training.Count,
        TestRows = rows.Test.Count,
        Classes = rows.Labels.Count,
        Epochs = settings.Training.MaxEpochs,
        BatchSize = settings.Training.BatchSize,
        MaxTokens = settings.Training.EffectiveMaxTokens(model),
        Seeds = settings.Seeds,
        Corpora = [.. corpora.Select(corpus => corpus.Name)],
        Measure = settings.Forgetting.Measure,
        Positions = settings.Forgetting.Positions,
        Epsilon = settings.Spectral.Epsilon,
        TopK = settings.Spectral.TopK,
    };
}

namespace MLNetLoRA;

/// <summary>What was found after one task of a row was learned.</summary>
/// <remarks>Immutable and thread-safe; holds no tensor.</remarks>
public sealed record ContinualStage
{
    /// <summary>The task that was learned in this stage.</summary>
    public required string TaskName { get; init; }

    /// <summary>Its training.</summary>
    public required TrainingReport Training { get; init; }

    /// <summary>Every task, in the order of the run, tested by a fresh head on the frozen trunk as it is after this stage.</summary>
    public required IReadOnlyList<FreshHeadScore> Scores { get; init; }

    /// <summary>The trunk's matrices against those of the original base, in the model's order.</summary>
    public required IReadOnlyList<SpectralFinding> Matrices { get; init; }

    /// <summary>How long the stage took, tests included, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Intruder dimensions against the original base, at the first threshold and top k.</summary>
    public int IntruderCount => Matrices.Sum(matrix => matrix.Intruders.Count);

    /// <summary>Norm of all changes since the original base together.</summary>
    public double DeltaFrobenius => Math.Sqrt(Matrices.Sum(matrix => matrix.DeltaFrobenius * matrix.DeltaFrobenius));
}

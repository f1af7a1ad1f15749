namespace MLNetLoRA.Evaluation;

/// <summary>What a continual-learning report's JSON holds. Shares in [0, 1], losses in nats, times in seconds.</summary>
internal sealed record ContinualLearningNumbers(
    string Base, string Method, string? Adapters, LoraNumbers? Lora, string? Repair, double Epsilon, int TopK, IReadOnlyList<TaskNumbers> Tasks,
    IReadOnlyList<double> BaseAccuracies, IReadOnlyList<IReadOnlyList<double>> AccuracyMatrix, IReadOnlyList<StageNumbers> Stages,
    double AverageAccuracy, double AverageForgetting, double BackwardTransfer, double ForwardTransfer, double Seconds)
{
    public static ContinualLearningNumbers Of(ContinualLearningReport report) => new(
        report.BaseName, report.Lora is null ? "full" : "lora",
        report.Lora is null ? null : report.Adapters is AdapterHandling.Apart ? "apart" : "merge",
        report.Lora is { } lora ? new LoraNumbers(lora.Rank, lora.Alpha ?? 2 * lora.Rank, lora.TargetModules) : null,
        report.Repair, report.Spectral.Epsilon[0], report.Spectral.TopK[0],
        [.. report.Tasks.Select(task => new TaskNumbers(task.Name, task.ClassCount, task.TrainingRows, task.TestRows))],
        report.Accuracies[0], [.. report.Accuracies.Skip(1)], [.. report.Stages.Select(StageNumbers.Of)],
        report.AverageAccuracy, report.AverageForgetting, report.BackwardTransfer, report.ForwardTransfer, report.Seconds);
}

/// <summary>An adapter's shape.</summary>
internal sealed record LoraNumbers(int Rank, double Alpha, IReadOnlyList<string> TargetModules);

/// <summary>One task.</summary>
internal sealed record TaskNumbers(string Name, int Classes, int TrainingRows, int TestRows);

/// <summary>One stage; intruders against the original base.</summary>
internal sealed record StageNumbers(
    string Task, int Epochs, double TrainLoss, double LearningRate, IReadOnlyList<FreshHeadScore> Scores, int Intruders, double DeltaFrobenius,
    IReadOnlyList<MatrixNumbers> Matrices, double TrainingSeconds, double Seconds)
{
    public static StageNumbers Of(ContinualStage stage) => new(
        stage.TaskName, stage.Training.Epochs.Count, stage.Training.Epochs[^1].TrainLoss, stage.Training.LearningRate, stage.Scores, stage.IntruderCount,
        stage.DeltaFrobenius, [.. stage.Matrices.Select(matrix => new MatrixNumbers(
            matrix.Name, matrix.Intruders, matrix.DeltaFrobenius, matrix.IntruderEnergyShare))],
        stage.Training.TrainingSeconds, stage.Seconds);
}

/// <summary>One matrix: its intruders from 0 by descending singular value.</summary>
internal sealed record MatrixNumbers(string Name, IReadOnlyList<int> Intruders, double DeltaFrobenius, double IntruderEnergyShare);

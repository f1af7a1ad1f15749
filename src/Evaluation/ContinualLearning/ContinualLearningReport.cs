using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>What a model kept and lost while it learned several tasks, one after the other.</summary>
/// <remarks>
/// Immutable and thread-safe; holds no tensor. All measures rest on R(t, i): test accuracy on task i after stage t, by a fresh head on the
/// frozen trunk (arXiv 2410.21228, section 6); R(0, i) is that on the original base. n is the number of tasks, two or more.
/// </remarks>
public sealed record ContinualLearningReport
{
    /// <summary>What the original base is called.</summary>
    public required string BaseName { get; init; }

    /// <summary>How each stage was trained.</summary>
    public required FineTuningMethod Method { get; init; }

    /// <summary>What became of each task's adapter; Merge after full fine-tuning, which goes on from its last weights.</summary>
    public required AdapterHandling Adapters { get; init; }

    /// <summary>The adapters' shape; null after full fine-tuning.</summary>
    public required LoraOptions? Lora { get; init; }

    /// <summary>What was done to each stage's model before the next task: the estimator's name; null for nothing.</summary>
    public required string? Repair { get; init; }

    /// <summary>What made an intruder dimension.</summary>
    public required SpectralSettings Spectral { get; init; }

    /// <summary>The tasks in the order in which they were learned.</summary>
    public required IReadOnlyList<ContinualTaskSummary> Tasks { get; init; }

    /// <summary>One stage a task.</summary>
    public required IReadOnlyList<ContinualStage> Stages { get; init; }

    /// <summary>How long all of it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>R: one row before the first stage and one after each, one column a task, in [0, 1].</summary>
    public IReadOnlyList<IReadOnlyList<double>> Accuracies =>
        [[.. Tasks.Select(task => task.Base.Accuracy)], .. Stages.Select(stage => (double[])[.. stage.Scores.Select(score => score.Accuracy)])];

    /// <summary>Mean accuracy over all tasks at the end: (1/n) Σ R(n, i) (Lopez-Paz and Ranzato, 2017).</summary>
    public double AverageAccuracy => Last.Average();

    /// <summary>
    /// Mean over all tasks but the last of the best accuracy at an earlier stage less that at the end: (1/(n−1)) Σ max over t from 1 to n−1 of R(t, i) −
    /// R(n, i) (Chaudhry et al., 2018). Above 0 something was forgotten.
    /// </summary>
    public double AverageForgetting => Enumerable.Range(0, Tasks.Count - 1)
        .Average(task => Enumerable.Range(1, Tasks.Count - 1).Max(stage => Accuracies[stage][task]) - Last[task]);

    /// <summary>
    /// Mean over all tasks but the last of the accuracy at the end less that right after the task was learned: (1/(n−1)) Σ R(n, i) − R(i, i)
    /// (Lopez-Paz and Ranzato, 2017). Below 0 learning on did harm.
    /// </summary>
    public double BackwardTransfer => Enumerable.Range(0, Tasks.Count - 1).Average(task => Last[task] - Accuracies[task + 1][task]);

    /// <summary>
    /// Mean over all tasks but the first of the accuracy just before the task was learned less that on the original base: (1/(n−1)) Σ R(i−1, i) −
    /// R(0, i). Lopez-Paz and Ranzato, 2017, whose baseline is a network of random weights; here it is the pretrained one. Above 0 earlier tasks
    /// helped.
    /// </summary>
    public double ForwardTransfer => Enumerable.Range(1, Tasks.Count - 1).Average(task => Accuracies[task][task] - Accuracies[0][task]);

    /// <summary>The report as a document with pictures: an accuracy matrix, and intruders over the stages.</summary>
    public ReportDocument ToDocument() => ContinualLearningDocument.Of(this);

    /// <summary>The numbers as one JSON object, names in snake_case.</summary>
    public string ToJson() => ReportJson.Of(ContinualLearningNumbers.Of(this));

    private IReadOnlyList<double> Last => Accuracies[^1];
}

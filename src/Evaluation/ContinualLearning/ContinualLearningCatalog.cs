using Microsoft.ML;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>Learning several tasks one after the other, beside ML.NET's other operations on classifiers.</summary>
public static class ContinualLearningCatalog
{
    /// <summary>Fine-tunes a pretrained model on several tasks in order, and after each of them measures what it knows of all.</summary>
    /// <remarks>
    /// After each stage every task is tested by a fresh head on the frozen trunk, and intruder dimensions are counted against the original base.
    /// Source: arXiv 2410.21228, section 6. Models in between live in memory; nothing is written.
    /// </remarks>
    /// <param name="catalog">mlContext.MulticlassClassification.</param>
    /// <param name="model">The original base.</param>
    /// <param name="tasks">Two or more, in the order in which they are learned.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// A setting is out of range; there are fewer than two tasks, or two of the same name; or a task lacks a column, has no rows, or only one class.
    /// All of it is found before anything is trained.
    /// </exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="TrainingDivergedException">The loss of a stage was no longer a number.</exception>
    public static ContinualLearningReport ContinualLearning(
        this MulticlassClassificationCatalog catalog, PretrainedModel model, IReadOnlyList<ContinualTask> tasks, ContinualLearningOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tasks);
        options ??= new ContinualLearningOptions();
        OptionFaults.ThrowIfAny(ContinualRun.Component, Faults(tasks).Concat(options.Faults(model)));
        return new ContinualRun(catalog.Trainers, model, tasks, options).Run();
    }

    private static IEnumerable<string> Faults(IReadOnlyList<ContinualTask> tasks)
    {
        if (tasks.Count < 2)
            yield return $"There {(tasks.Count == 1 ? "is 1 task" : "are no tasks")}; give two or more: with one there is nothing to be forgotten.";
        foreach (var (name, count) in tasks.CountBy(task => task.Name))
            if (count > 1) yield return $"{count} tasks are called '{name}'; give each a name of its own.";
        foreach (var fault in tasks.SelectMany(task => task.Faults())) yield return fault;
    }
}

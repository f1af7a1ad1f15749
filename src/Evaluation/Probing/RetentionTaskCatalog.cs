using System.Diagnostics;
using Microsoft.ML;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>What a fine-tuned model is still good for, beside ML.NET's other model operations.</summary>
public static class RetentionTaskCatalog
{
    private const string Component = "EvaluateRetentionTask";

    /// <summary>Trains a fresh classification head on the base's frozen trunk and on the tuned one, and tests both: forgetting as accuracy on another task.</summary>
    /// <remarks>
    /// Needs no language-model head, so it measures checkpoints of which the loss on text cannot be had. The baseline is the base checkpoint.
    /// </remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; as its last rescaling left it.</param>
    /// <param name="trainingSet">Rows of the other task that the heads learn from: its text columns and its label.</param>
    /// <param name="testSet">Rows that judge the heads; labels are matched to the training rows' by value.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; a setting is out of range; a column is missing; there are no
    /// rows, or only one class; or the base given is another.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="TrainingDivergedException">The loss of a head was no longer a number.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static RetentionTaskReport EvaluateRetentionTask(
        this ModelOperationsCatalog catalog, ITransformer model, IDataView trainingSet, IDataView testSet, RetentionTaskOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(trainingSet);
        ArgumentNullException.ThrowIfNull(testSet);
        options ??= new RetentionTaskOptions();
        OptionFaults.ThrowIfAny(Component, options.Faults());
        var clock = Stopwatch.StartNew();
        using var evaluated = EvaluatedModel.Find(model, options.ScoreColumnName, options.BaseModel);
        OptionFaults.ThrowIfAny(Component, options.Faults(evaluated.Base));

        var columns = new TextColumns(
            Component, options.Sentence1ColumnName, options.Sentence2ColumnName, OptionDefaults.Score, OptionDefaults.PredictedLabel);
        var task = LabelledTask.Read(
            Component, columns, options.LabelColumnName, trainingSet, testSet, evaluated.Base.Tokenizer,
            options.MaxTokens ?? evaluated.Classifier.Description.MaxTokens, options.CancellationToken.ThrowIfCancellationRequested);
        using var before = FrozenTrunk.Of(evaluated.Base, evaluated.Classifier.Device);
        using var after = FrozenTrunk.Of(evaluated.Classifier);
        var head = new FreshHead(options.Head, options.CancellationToken);
        var (baseScore, baseRight) = head.Judge(before, evaluated.Base, task);
        var (tunedScore, tunedRight) = head.Judge(after, evaluated.Base, task);
        return new RetentionTaskReport
        {
            BaseName = evaluated.Base.Name,
            Method = evaluated.Method,
            ClassNames = task.ClassNames,
            TrainingRows = task.Training.Count,
            TestRows = task.Test.Count,
            Base = baseScore,
            Tuned = tunedScore,
            StandardError = PairedStandardError(baseRight, tunedRight),
            Seconds = clock.Elapsed.TotalSeconds,
        };
    }

    // Of the mean of the differences, each -1, 0 or 1.
    private static double PairedStandardError(bool[] before, bool[] after)
    {
        var (lost, won) = (0.0, 0.0);
        foreach (var (was, now) in before.Zip(after)) (lost, won) = (lost + (was && !now ? 1 : 0), won + (now && !was ? 1 : 0));
        var (count, mean) = (before.Length, (lost - won) / before.Length);
        return count < 2 ? double.NaN : Math.Sqrt((((lost + won) / count) - (mean * mean)) / (count - 1));
    }
}

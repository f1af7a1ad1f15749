using System.Diagnostics;
using Microsoft.ML;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>Studies of what ways of fine-tuning do to a pretrained model.</summary>
public static class StudyCatalog
{
    private const string Component = "RunStudy";

    /// <summary>Fine-tunes a pretrained model in many ways and holds what comes out against the findings of arXiv 2410.21228.</summary>
    /// <remarks>
    /// Every run is trained on the same rows, tested on the same rows and has the same tokens of the retention text hidden. Runs with the same seed
    /// see the rows in the same order.
    /// </remarks>
    /// <param name="mlContext">Where models are trained.</param>
    /// <param name="model">The base.</param>
    /// <param name="trainingSet">Rows to learn from, of two classes or more.</param>
    /// <param name="testSet">Rows that judge every run; labels are matched to the training rows' by value.</param>
    /// <param name="corpora">Retention text: what the base was pretrained on, or text like it.</param>
    /// <param name="settings">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// A setting is out of range, a column is missing, there are no rows, only one class, or a text is too short; all of it is found before
    /// anything is trained.
    /// </exception>
    /// <exception cref="InvalidDataException">The base has no language-model head, its files cannot be read or have changed, or a kept run is damaged.</exception>
    /// <exception cref="InvalidOperationException">Every single training came to nothing.</exception>
    public static StudyReport RunStudy(
        this MLContext mlContext, PretrainedModel model, IDataView trainingSet, IDataView testSet, IReadOnlyList<RetentionCorpus> corpora,
        StudySettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(mlContext);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(trainingSet);
        ArgumentNullException.ThrowIfNull(testSet);
        ArgumentNullException.ThrowIfNull(corpora);
        settings ??= new StudySettings();
        OptionFaults.ThrowIfAny(Component, settings.Faults(model, corpora.Count));
        var clock = Stopwatch.StartNew();
        var training = settings.Training;
        var columns = new TextColumns(
            Component, training.Sentence1ColumnName, training.Sentence2ColumnName, training.ScoreColumnName, training.OutputColumnName);
        var rows = LabelledTask.Read(
            Component, columns, training.LabelColumnName, trainingSet, testSet, model.Tokenizer, training.EffectiveMaxTokens(model),
            settings.CancellationToken.ThrowIfCancellationRequested);
        var execution = new StudyExecution(mlContext, model, rows, testSet, corpora, settings);
        var runs = execution.Run();
        if (runs.Count == 0)
            throw new InvalidOperationException($"Every training came to nothing; the first: {execution.Failures[0].Reason}");
        return StudyAnalysis.Of(StudySetup.Of(model, rows, corpora, settings), runs, execution.Failures, clock.Elapsed.TotalSeconds);
    }
}

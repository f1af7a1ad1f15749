using Microsoft.ML;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;

namespace MLNetLoRA;

/// <summary>Comparing repairs of fine-tuned models, beside ML.NET's other model operations.</summary>
public static class RepairCatalog
{
    /// <summary>Measures what repairs of several kinds and strengths give back of the pretraining, and what they cost of the task.</summary>
    /// <remarks>
    /// Spectra and moments are computed once; only factors change from point to point. Methods are compared at equal accuracy. Source of the measurements:
    /// arXiv 2410.21228, table 3 and figure 12.
    /// </remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; rescalings after it count.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults, which leave the task out.</param>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; a setting is out of range; a text is too short; or a label
    /// is none of the model's classes.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base has no language-model head, or its files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static RepairCurve EvaluateRepair(
        this ModelOperationsCatalog catalog, ITransformer model, IReadOnlyList<RetentionCorpus> corpora, RepairCurveOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(corpora);
        options ??= new RepairCurveOptions();
        OptionFaults.ThrowIfAny(RepairCurveEvaluation.Component, options.Faults().Concat(options.Forgetting.ColumnFaults()));
        var tuned = ModelParts.Find(model, options.Forgetting.ScoreColumnName);
        using var share = tuned.AcquireShare();
        var classifier = share.Resource.Classifier;
        RepairCurveEvaluation.Check(options.Forgetting.BaseModel ?? classifier.Description.Base, corpora, options);
        var cancellation = options.Forgetting.CancellationToken;
        // Rows that cannot be used are found before the decompositions.
        var task = options.TestSet is { } rows ? new TaskTest(tuned, classifier.Description, rows, options.LabelColumnName, cancellation) : null;
        var training = options.TaskRows is { } seen ? ReadTaskRows(seen, tuned.Columns, classifier.Description, cancellation) : null;
        var device = options.Forgetting.Device is null ? classifier.Device : ComputeDevice.Choose(options.Forgetting.Device, null, fallBackToCpu: true, log: _ => { });
        using var state = LanguageModelState.OfClassifier(classifier, device, options.Forgetting.BaseModel);
        return RepairCurveEvaluation.Run(state, classifier, task, training, corpora, options);
    }

    private static List<EncodedText> ReadTaskRows(IDataView rows, TextColumns columns, ClassifierDescription description, CancellationToken cancellation)
    {
        const string Role = nameof(RepairCurveOptions.TaskRows);
        OptionFaults.ThrowIfAny(Role, new ColumnCheck(Role, rows.Schema).Require(columns).Faults);
        return TaskRows.Read(rows, columns, description, nameof(RepairMethod.Balance), cancellation.ThrowIfCancellationRequested);
    }
}

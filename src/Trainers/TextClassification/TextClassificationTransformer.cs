using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetLoRA;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

[assembly: LoadableClass(typeof(TextClassificationTransformer), null, typeof(SignatureLoadModel),
    "Fine-tuned text classifier", TextClassificationTransformer.LoaderSignature)]

namespace MLNetLoRA;

/// <summary>A fine-tuned text classifier in a pipeline: it appends the predicted class and one score per class.</summary>
/// <remarks>
/// Lazy: nothing is computed until a scored column is read. Thread-safe. Native weights are shared with every cursor and prediction engine
/// made from it: those already open go on after <see cref="Dispose"/>, new ones throw ObjectDisposedException. A prediction engine disposes
/// its transformer with itself unless it is created with OwnsTransformer = false. The Score column carries an annotation, "FineTunedModel", by
/// which a later component of the chain finds the model; it does not keep the model alive.
/// </remarks>
public sealed class TextClassificationTransformer : ITransformer, IFineTunedModel, IDisposable
{
    internal const string LoaderSignature = "MLNetLoRATextClassifier";

    private readonly IHost _host;
    private readonly TransformerResource<ClassifierScorer> _scorer;
    private readonly TextScoring _scoring;
    private readonly ScoringSettings _settings;

    internal TextClassificationTransformer(
        IHostEnvironment env, TextClassifier classifier, TextColumns columns, LabelValues labels, ScoringSettings settings, TrainingReport report)
    {
        _host = env.Register(nameof(TextClassificationTransformer));
        _settings = settings;
        (TrainingReport, BaseModel, Lora) = (report, classifier.Description.Base, classifier.Description.Lora);
        ClassNames = [.. Enumerable.Range(0, labels.Count).Select(labels.Name)];
        _scorer = new TransformerResource<ClassifierScorer>(
            nameof(TextClassificationTransformer), "model", new ClassifierScorer(classifier, settings.ScoreKind));
        _scoring = new TextScoring(
            _host, columns, labels, this, settings.BatchSize, (annotations, input) => FineTunedModelAnnotation.Add(annotations, this, input));
    }

    /// <summary>What the fit did.</summary>
    public TrainingReport TrainingReport { get; }

    /// <summary>The pretrained model that fine-tuning started from.</summary>
    /// <remarks>Where its weights came with the model file, they are freed with the last transformer that was loaded with it or fitted from it.</remarks>
    public PretrainedModel BaseModel { get; }

    /// <summary>The adapter's shape; null after full fine-tuning.</summary>
    public LoraOptions? Lora { get; }

    /// <summary>The classes, in the order of the Score column.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    internal LabelValues Labels => _scoring.Labels;

    TextColumns IFineTunedModel.Columns => _scoring.Columns;

    LabelValues IFineTunedModel.Labels => Labels;

    ScoringSettings IFineTunedModel.Settings => _settings;

    SharedOwner<ClassifierScorer>.Share IFineTunedModel.AcquireShare() => AcquireShare();

    /// <inheritdoc/>
    public bool IsRowToRowMapper => true;

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _scoring.GetOutputSchema(inputSchema);

    /// <summary>A lazy view of <paramref name="input"/> with PredictedLabel and Score appended.</summary>
    public IDataView Transform(IDataView input) => _scoring.Transform(input);

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => _scoring.GetRowToRowMapper(inputSchema);

    /// <summary>Gives up this transformer's share; the weights go when no cursor or engine uses them any more.</summary>
    public void Dispose() => _scorer.Dispose();

    ScorerLease ITextScorerSource.Acquire() => ScorerLease.Of(AcquireShare());

    internal SharedOwner<ClassifierScorer>.Share AcquireShare() => _scorer.Acquire();

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var share = AcquireShare();
        ClassifierFile.Save(ctx, share.Resource.Classifier, _scoring.Columns, _scoring.Labels, _settings, TrainingReport);
    }

    // ML.NET finds this by its signature, through the LoadableClass attribute above.
    private static TextClassificationTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => ClassifierFile.Load(env, ctx);
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetLoRA;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

[assembly: LoadableClass(typeof(MaskedLanguageModelTransformer), null, typeof(SignatureLoadModel),
    "Further pretrained text encoder", MaskedLanguageModelTransformer.LoaderSignature)]

namespace MLNetLoRA;

/// <summary>A further pretrained encoder in a pipeline: it appends the text's vector and, where asked for, its loss.</summary>
/// <remarks>
/// The vector is the mean of the last hidden states of all tokens, special ones included. The loss is the mean over the text's tokens, in nats,
/// each hidden once, one in seven at a time, and guessed; a text without tokens has the loss NaN. Lazy: nothing is computed until one of the
/// columns is read. Thread-safe. Native weights are shared with every cursor, prediction engine and fit made from it: those go on after
/// <see cref="Dispose"/>, new ones throw ObjectDisposedException.
/// </remarks>
public sealed class MaskedLanguageModelTransformer : ITransformer, ITextScorerSource, IDisposable
{
    internal const string LoaderSignature = "MLNetLoRAEncoder";

    private readonly IHost _host;
    private readonly TransformerResource<EncoderScorer> _scorer;
    private readonly ColumnScoring _scoring;
    private readonly EncoderColumns _columns;
    private readonly EncoderSettings _settings;

    /// <summary>Takes ownership of <paramref name="embedder"/>.</summary>
    internal MaskedLanguageModelTransformer(
        IHostEnvironment env, TextEmbedder embedder, EncoderColumns columns, EncoderSettings settings, TrainingReport report)
    {
        _host = env.Register(nameof(MaskedLanguageModelTransformer));
        (_columns, _settings, TrainingReport, Model) = (columns, settings, report, embedder.Model);
        _scorer = new TransformerResource<EncoderScorer>(
            nameof(MaskedLanguageModelTransformer), "model", new EncoderScorer(embedder, settings.MaxTokens, withLoss: columns.Loss is not null));
        var scored = columns.Scored(embedder.Model.Config.HiddenSize);
        _scoring = new ColumnScoring(
            _host, input => new TextScoringBindings(_host, EncoderColumns.Component, columns.Sentence1, scored, input), this, settings.BatchSize);
    }

    /// <summary>What the fit did; rows are windows of text.</summary>
    public TrainingReport TrainingReport { get; }

    /// <summary>The further pretrained model, to fine-tune: LoraTextClassification(transformer.Model).</summary>
    /// <remarks>
    /// Its weights are in native memory until the last transformer that was loaded with it or fitted from it is disposed, this one included.
    /// </remarks>
    public PretrainedModel Model { get; }

    /// <inheritdoc/>
    public bool IsRowToRowMapper => true;

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _scoring.GetOutputSchema(inputSchema);

    /// <summary>A lazy view of <paramref name="input"/> with the text's vector, and its loss where asked for, appended.</summary>
    public IDataView Transform(IDataView input) => _scoring.Transform(input);

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => _scoring.GetRowToRowMapper(inputSchema);

    /// <summary>Writes the model as a checkpoint folder in Hugging Face's layout, for <see cref="PretrainedModel.FromFolder"/> and other tools.</summary>
    /// <param name="folder">Created when missing; a model in it is replaced.</param>
    /// <param name="inBFloat16">Store weights in half the space, rounded to 8 significant bits.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public void SaveFolder(string folder, bool inBFloat16 = false)
    {
        using var share = _scorer.Acquire();
        MaskedLanguageModelFit.WriteFolder(folder, share.Resource.Model, inBFloat16);
    }

    /// <summary>Gives up this transformer's share; the weights go when nothing uses them any more.</summary>
    public void Dispose() => _scorer.Dispose();

    ScorerLease ITextScorerSource.Acquire() => ScorerLease.Of(_scorer.Acquire());

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var share = _scorer.Acquire();
        EncoderFile.Save(ctx, share.Resource.Model, _columns, _settings, TrainingReport);
    }

    // ML.NET finds this by its signature, through the LoadableClass attribute above.
    private static MaskedLanguageModelTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => EncoderFile.Load(env, ctx);
}

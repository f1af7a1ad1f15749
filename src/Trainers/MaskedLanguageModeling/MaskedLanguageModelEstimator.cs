using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>Goes on pretraining an encoder on a column of unlabelled text, by masked language modeling.</summary>
/// <remarks>
/// Made by MaskedLanguageModel on mlContext.Transforms.Text. What it learns from the text helps where labels are few: fit this first, then a
/// classifier on <see cref="MaskedLanguageModelTransformer.Model"/> (arXiv 2004.10964). One fit at a time per checkpoint folder.
/// </remarks>
public sealed class MaskedLanguageModelEstimator : IEstimator<MaskedLanguageModelTransformer>
{
    private readonly IHost _host;
    private readonly IHostEnvironmentInternal _environment;
    private readonly PretrainedModel _model;
    private readonly MaskedLanguageModelOptions _options;
    private readonly MaskedLanguageModelTrainer _trainer;
    private readonly EncoderColumns _columns;

    internal MaskedLanguageModelEstimator(IHostEnvironment env, PretrainedModel model, MaskedLanguageModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        OptionFaults.ThrowIfAny(EncoderColumns.Component, options.ColumnFaults().Concat(options.Faults(model)));
        _host = env.Register(EncoderColumns.Component);
        _environment = (IHostEnvironmentInternal)env;
        (_model, _options) = (model, options);
        _trainer = new MaskedLanguageModelTrainer(model, options);
        _columns = new EncoderColumns(options.Sentence1ColumnName, options.OutputColumnName, options.LossColumnName);
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => TextTrainerShape.Output(_host, inputSchema, _columns);

    /// <summary>Trains on these rows; the caller disposes the transformer.</summary>
    /// <exception cref="ArgumentException">The text column is missing or of another type, or there is no text.</exception>
    /// <exception cref="InvalidDataException">The checkpoint to go on from is damaged, or of another run.</exception>
    /// <exception cref="IOException">A checkpoint could not be written.</exception>
    /// <exception cref="TrainingDivergedException">The loss was no longer a number.</exception>
    /// <exception cref="OperationCanceledException">Stopped through the options' token or MLContext.CancelExecution.</exception>
    public MaskedLanguageModelTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        CheckColumn(EncoderColumns.Component, input, nameof(input));
        if (_options.ValidationSet is { } held) CheckColumn($"{EncoderColumns.Component}'s ValidationSet", held, nameof(_options.ValidationSet));
        using var channel = _host.Start("Train");
        using var progress = _host.StartProgressChannel(EncoderColumns.Component);
        var observer = new FitObserver(CheckCancelled, channel, progress, _options.Progress);

        // From the context as it is now: a host keeps what the context said when the estimator was created.
        var choice = new DeviceChoice(_environment.GpuDeviceId, _environment.FallbackToCpu);
        using var fit = _trainer.Train(
            Texts(input), _options.ValidationSet is { } validation ? Texts(validation) : null, text => channel.Info(text), observer, choice);
        using var trained = fit.ToModel();
        var embedder = new TextEmbedder(trained.Model, fit.Device);
        return new MaskedLanguageModelTransformer(
            _host, embedder, _columns, new EncoderSettings(_options.BatchSize, _options.EffectiveMaxTokens(_model)), fit.Report);
    }

    private void CheckColumn(string component, IDataView data, string parameter) =>
        new ColumnCheck(component, data.Schema).RequireText(_columns.Sentence1, "Sentence1ColumnName").ThrowIfFaulty(_host, parameter);

    private void CheckCancelled()
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        _host.CheckAlive();
    }

    private IEnumerable<string> Texts(IDataView data)
    {
        var column = data.Schema[_columns.Sentence1];
        using var cursor = data.GetRowCursor([column]);
        var reader = new TextRowReader(cursor, column, null);
        while (cursor.MoveNext()) yield return reader.Read().First.Trim();
    }
}

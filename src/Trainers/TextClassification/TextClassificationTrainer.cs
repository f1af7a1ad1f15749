using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>Fine-tunes a pretrained encoder to name the class of a text or of a pair of texts.</summary>
/// <remarks>
/// Made by LoraTextClassification and FullFineTuningTextClassification on mlContext.MulticlassClassification.Trainers. Fits may run at the
/// same time on several threads; each has its own randomness and network.
/// </remarks>
public sealed class TextClassificationTrainer : IEstimator<TextClassificationTransformer>
{
    private readonly IHost _host;
    private readonly IHostEnvironmentInternal _environment;
    private readonly PretrainedModel _model;
    private readonly FineTuningMethod _method;
    private readonly TextClassificationOptions _options;
    private readonly TextColumns _columns;
    private readonly int _seed;

    internal TextClassificationTrainer(IHostEnvironment env, PretrainedModel model, FineTuningMethod method, TextClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var component = method is FineTuningMethod.Lora ? "LoraTextClassification" : "FullFineTuningTextClassification";
        OptionFaults.ThrowIfAny(component, options.Faults(model, method));
        _host = env.Register(component);
        _environment = (IHostEnvironmentInternal)env;
        (_model, _method, _options) = (model, method, options);
        _columns = new TextColumns(
            component, options.Sentence1ColumnName, options.Sentence2ColumnName, options.ScoreColumnName, options.OutputColumnName);
        // Drawn here rather than in Fit: a second Fit of the same estimator repeats the first.
        _seed = options.Seed ?? _host.Rand.Next();
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) =>
        TextTrainerShape.Output(_host, inputSchema, _columns, _options.LabelColumnName, FineTunedModelAnnotation.Shape);

    /// <summary>Fine-tunes the model on these rows; the caller disposes the transformer.</summary>
    /// <exception cref="ArgumentException">
    /// The data cannot be learned from: a wrong column, no rows, a single class. Or the initial model does not fit: another base, another method,
    /// an adapter of another shape, no classifier in it or several.
    /// </exception>
    /// <exception cref="InvalidDataException">The initial model's file cannot be loaded.</exception>
    /// <exception cref="ObjectDisposedException">The initial model was disposed.</exception>
    /// <exception cref="TrainingDivergedException">The loss was no longer a number.</exception>
    /// <exception cref="OperationCanceledException">Stopped through the options' token or MLContext.CancelExecution.</exception>
    public TextClassificationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        CheckColumns(input.Schema, nameof(input));
        using var channel = _host.Start("Train");
        using var progress = _host.StartProgressChannel(_columns.Component);
        using var scope = NewDisposeScope();

        using var initial = OpenInitial();
        var labels = LabelsOf(input.Schema[_options.LabelColumnName], initial, channel);
        var weights = ClassWeightsBy(labels);
        var device = ChooseDevice(text => channel.Info(text));
        using var randomness = new FitRandomness(_seed);
        var (training, validation, read) = ReadRows(input, labels, randomness, channel);

        var head = initial is null ? StartingHead.Choose(_model, labels) : StartingHead.None;
        if (head.Message is { } message) channel.Info(message);
        using var fit = new ClassifierFit(_model, _method, _options, labels.Count, device, randomness, head.Rows, initial);
        if (fit.DrawnAnew is { Count: > 0 } drawn)
            channel.Warning($"{_model.Name} does not hold {drawn[0]}{(drawn.Count > 1 ? $" and {drawn.Count - 1} more" : "")}; drawn at random.");
        var observer = new FitObserver(CheckCancelled, channel, progress, _options.Progress);
        var outcome = fit.Train(training, validation, Balance(weights, training), observer);

        var report = fit.Report(outcome, _seed, training, validation, read.Unlabelled);
        if (outcome.Divergence is { } divergence)
        {
            // The caller may go on with the last good epoch: it travels with the exception.
            var survivor = outcome.KeptEpoch > 0 ? CreateTransformer(labels, outcome, device, report) : null;
            throw new TrainingDivergedException(
                divergence, survivor is null ? null : outcome.KeptEpoch, survivor);
        }
        channel.Info($"Kept the weights of epoch {report.KeptEpoch} of {report.Epochs.Count}; {report.ExamplesPerSecond:F0} rows per second.");
        return CreateTransformer(labels, outcome, device, report);
    }

    private InitialClassifier? OpenInitial()
    {
        if (_options.InitialModel is not { } given) return null;
        var initial = InitialClassifier.Open(given, _environment);
        try
        {
            initial.Check(_model, _method, _options.Lora);
            return initial;
        }
        catch
        {
            initial.Dispose();
            throw;
        }
    }

    private static LabelValues LabelsOf(DataViewSchema.Column column, InitialClassifier? initial, IChannel channel)
    {
        var own = LabelValues.From(column);
        if (initial is null) return own;
        var labels = initial.Labels.FollowedBy(own, column.Name);
        if (!labels.NumbersLike(own))
            channel.Warning(
                $"Column '{column.Name}' numbers its classes otherwise than the model, which keeps InitialModel's order. Training matches them by value, but "
                + "Evaluate compares numbers: give MapValueToKey the model's ClassNames as keyData.");
        return labels;
    }

    private TextClassificationTransformer CreateTransformer(LabelValues labels, TrainingOutcome outcome, Device device, TrainingReport report)
    {
        var description = new ClassifierDescription(
            _model, _method is FineTuningMethod.Lora ? _options.Lora : null, labels.Count, _options.EffectiveMaxTokens(_model));
        TextClassifier classifier;
        try
        {
            classifier = new TextClassifier(description, outcome.Weights, device);
        }
        catch
        {
            foreach (var weight in outcome.Weights.Values) weight.Dispose();
            throw;
        }
        return new TextClassificationTransformer(_host, classifier, _columns, labels, ScoringSettings.From(_options), report);
    }

    private void CheckCancelled()
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        _host.CheckAlive();
    }

    // From the context as it is now: a host keeps what the context said when the trainer was created.
    private Device ChooseDevice(Action<string> log) =>
        ComputeDevice.Choose(_options.Device, _environment.GpuDeviceId, _environment.FallbackToCpu, log);

    private void CheckColumns(DataViewSchema schema, string parameter)
    {
        new ColumnCheck(_columns.Component, schema).RequireLabel(_options.LabelColumnName).Require(_columns).ThrowIfFaulty(_host, parameter);
        if (_options.ValidationSet is { } validation)
            new ColumnCheck($"{_columns.Component}'s ValidationSet", validation.Schema)
                .RequireAnyLabel(_options.LabelColumnName).Require(_columns).ThrowIfFaulty(_host, nameof(TextClassificationOptions.ValidationSet));
    }

    private (EncodedRows Training, EncodedRows Validation, LabelledRows Read) ReadRows(
        IDataView input, LabelValues labels, FitRandomness randomness, IChannel channel)
    {
        var maxTokens = _options.EffectiveMaxTokens(_model);
        var reader = new RowReader(_columns, _options.LabelColumnName, _model.Tokenizer, maxTokens, CheckCancelled);
        var read = reader.Read(input, labels, "The training data");
        var (training, validation) = (read.Rows, EncodedRows.None);
        if (_options.ValidationSet is { } held)
        {
            var readHeld = reader.Read(held, labels, nameof(TextClassificationOptions.ValidationSet));
            validation = readHeld.Rows;
            if (readHeld.Unlabelled > 0) channel.Warning($"{readHeld.Unlabelled} rows of ValidationSet have no label and were left out.");
            if (validation.Count == 0) throw new ArgumentException("ValidationSet has no labelled rows; give some, or null for no validation.");
        }
        else if (_options.ValidationFraction > 0 && training.Count > 0)
        {
            (training, validation) = training.SplitStratified(_options.ValidationFraction, randomness.Shuffle(training.Count));
        }

        CheckRows(training, labels, read.Unlabelled);
        channel.Info($"Rows: {training.Count} to train on, {validation.Count} to validate, {labels.Count} classes; at most {maxTokens} tokens each.");
        if (training.TruncatedCount is > 0 and var truncated) channel.Warning($"{truncated} rows are longer than {maxTokens} tokens and were cut; MaxTokens can be up to {_model.Config.MaxTokens}.");
        if (training.EmptyCount is > 0 and var empty) channel.Warning($"{empty} rows hold no text; they are trained on as empty sentences.");
        if (read.Unlabelled > 0) channel.Warning($"{read.Unlabelled} rows have no label and were left out.");
        return (training, validation, read);
    }

    private void CheckRows(EncodedRows training, LabelValues labels, int unlabelled)
    {
        var label = _options.LabelColumnName;
        if (labels.Count < 2)
            throw new ArgumentException($"Label column '{label}' has one class ('{labels.Name(0)}'); classification needs two or more.");
        if (training.Count == 0)
            throw new ArgumentException(unlabelled == 0
                ? "The training data has no rows; give at least one of each of two classes."
                : $"None of the {unlabelled} training rows has a label in column '{label}'.");
        var seen = training.Classes.Distinct().Take(2).ToArray();
        if (seen.Length < 2)
            throw new ArgumentException(
                $"All {training.Count} training rows are of class '{labels.Name(seen[0])}'; classification needs rows of two or more classes.");
    }

    private double[] ClassWeightsBy(LabelValues labels)
    {
        var weights = new double[labels.Count];
        Array.Fill(weights, 1);
        if (_options.ClassWeights is not { } named) return weights;
        var names = Enumerable.Range(0, labels.Count).Select(labels.Name).ToList();
        var unknown = named.Keys.Except(names).ToList();
        if (unknown.Count > 0)
            throw new ArgumentException(
                $"ClassWeights names {string.Join(", ", unknown.Select(name => $"'{name}'"))}, which column '{_options.LabelColumnName}' does not have. "
                + $"It has: {string.Join(", ", names.Take(20).Select(name => $"'{name}'"))}{(names.Count > 20 ? ", …" : "")}.");
        foreach (var (name, weight) in named) weights[names.IndexOf(name)] = weight;
        return weights;
    }

    private double[] Balance(double[] weights, EncodedRows training)
    {
        if (_options.ClassWeighting is not ClassWeighting.Balanced) return weights;
        var rowsByClass = training.Classes.CountBy(c => c).ToDictionary();
        return [.. weights.Select((weight, c) =>
            rowsByClass.TryGetValue(c, out var rows) ? weight * training.Count / ((double)rowsByClass.Count * rows) : weight)];
    }
}

using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;
using static System.FormattableString;

namespace MLNetLoRA;

/// <summary>Balances the changes of the fine-tuned model upstream between its task and its base's general knowledge.</summary>
/// <remarks>
/// Made by mlContext.Transforms.BalanceRetention. Nothing is trained, and the model upstream stays as it is. Moments are collected in one pass of
/// the base over a sample of the task's rows and one over the retention texts: 2 · d² · 8 bytes for each distinct layer input of width d, 2.1 GB
/// for RoBERTa-base.
/// </remarks>
public sealed class BalanceRetentionEstimator : IEstimator<BalanceRetentionTransformer>
{
    internal const string Component = "BalanceRetention";

    private readonly IHost _host;
    private readonly BalanceOptions _options;
    private readonly UpstreamModel _upstream;

    internal BalanceRetentionEstimator(IHostEnvironment env, BalanceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        OptionFaults.ThrowIfAny(Component, options.Faults());
        _host = env.Register(Component);
        _options = options;
        _upstream = new UpstreamModel(Component, options.ScoreColumnName);
    }

    /// <summary>The input's shape: the columns that are replaced keep their names and types.</summary>
    /// <exception cref="ArgumentException">There will be no fine-tuned model behind the score column.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        _upstream.Check(inputSchema);
        return inputSchema;
    }

    /// <summary>Reads the text of the rows, not their labels, and runs a sample of it and the retention texts through the base. The caller disposes the transformer.</summary>
    /// <exception cref="ArgumentException">
    /// There is no fine-tuned model behind the score column, one of its text columns is gone or was changed, a setting does not fit the model, or
    /// rows, retention texts or validation rows cannot be used.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and BaseModel is not given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed, or it has no weights.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">Stopped through the options' token or MLContext.CancelExecution.</exception>
    public BalanceRetentionTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var model = _upstream.Find(input.Schema);
        CheckValidationColumns(model);
        using var channel = _host.Start("Balance");
        using var share = model.AcquireShare();
        var classifier = share.Resource.Classifier;

        using var changes = classifier.OpenChanges(_options.BaseModel);
        var names = NamesOf(classifier, changes);
        // What cannot be used is found before anything is computed.
        var validation = _options.ValidationSet is { } rows
            ? new ValidationRows(model, classifier.Description, rows, _options.LabelColumnName, nameof(BalanceOptions.Strength), CheckCancelled)
            : null;
        var task = TaskRows.Read(input, model.Columns, classifier.Description, Component, CheckCancelled);
        using var moments = ModelMoments.Collect(
            _options.BaseModel ?? classifier.Description.Base, task, _options, model.Settings.BatchSize, classifier.Device, CheckCancelled);
        channel.Info(Invariant($"Moments of {moments.TaskTokens} tokens of task rows and {moments.RetentionTokens} of retention texts."));

        var fingerprint = ModelFingerprint.Of(classifier);
        var (strength, trials) = validation is null
            ? (_options.Strength ?? BalanceOptions.DefaultStrength, [])
            : StrengthSearch.Choose(_options, tried => Accuracy(tried));
        var (plans, corrections) = Balance(strength);
        var outcome = new BalanceOutcome(_options.ScoreColumnName, strength, moments.TaskTokens, moments.RetentionTokens, plans, trials);
        Log(channel, outcome);
        return new BalanceRetentionTransformer(_host, outcome, corrections);

        (IReadOnlyList<BalancePlan> Plans, ModelCorrections Corrections) Balance(double tried) =>
            moments.Balance(changes, names, _options.Balancing(tried), _options.Rank, fingerprint, classifier.Device, CheckCancelled);

        double Accuracy(double tried)
        {
            using var trial = Balance(tried).Corrections;
            return validation.Accuracy(classifier, trial);
        }
    }

    private void CheckValidationColumns(IFineTunedModel model)
    {
        if (_options.ValidationSet is not { } validation) return;
        new ColumnCheck($"{Component}'s ValidationSet", validation.Schema)
            .RequireAnyLabel(_options.LabelColumnName).Require(model.Columns).ThrowIfFaulty(_host, nameof(BalanceOptions.ValidationSet));
    }

    private IReadOnlyList<string> NamesOf(TextClassifier classifier, IWeightChanges changes)
    {
        var targeted = new TargetedMatrices(classifier.Description.Base.Config, _options.TargetModules);
        var names = targeted.Of(changes.Names);
        List<string> faults = [.. targeted.Faults()];
        if (_options.Rank is { } rank && classifier.Description.Lora is not null)
            faults.Add($"Rank is {rank}, and the model was fine-tuned with LoRA: its change keeps the rank it has. Use null.");
        if (faults.Count == 0 && names.Count == 0) faults.Add(targeted.NoneOf(changes.Names));
        OptionFaults.ThrowIfAny(Component, faults);
        return names;
    }

    private void CheckCancelled()
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        _host.CheckAlive();
    }

    // Only a channel's Info reaches mlContext.Log.
    private void Log(IChannel channel, BalanceOutcome outcome)
    {
        foreach (var trial in outcome.Trials) channel.Info(Invariant($"Strength {trial.Strength}: accuracy {trial.Accuracy:F4} on ValidationSet."));
        if (outcome.Trials.Count > 0) channel.Info(Invariant($"Chose strength {outcome.Strength}, the largest within {_options.AccuracyTolerance} of the accuracy at 0."));
        var changed = outcome.Plans.Where(plan => !plan.ChangesNothing).ToList();
        channel.Info(Invariant($"Strength {outcome.Strength} changes {changed.Count} of {outcome.Plans.Count} matrices."));
        if (changed.Count == 0) return;
        channel.Info(
            Invariant($"On average outputs on the task move by {changed.Average(plan => plan.TaskShift):P0} of what fine-tuning did to them, and ")
            + Invariant($"{changed.Average(plan => plan.RetentionLeft):P0} of what it did to outputs on the retention texts is left."));
        if (_options.Rank is { } rank)
            channel.Info(Invariant($"Cutting to rank {rank} loses up to {changed.Max(plan => plan.TruncationError):P1} of what is added to a matrix."));
    }
}

using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;
using static System.FormattableString;

namespace MLNetLoRA;

/// <summary>Finds the intruder dimensions of the fine-tuned model upstream and scales them.</summary>
/// <remarks>
/// Made by mlContext.Transforms.RescaleIntruderDimensions. Nothing is trained, and the model upstream stays as it is: its weights are shared,
/// and an exact low-rank correction beside them makes the difference.
/// </remarks>
public sealed class IntruderRescalingEstimator : IEstimator<IntruderRescalingTransformer>
{
    internal const string Component = "RescaleIntruderDimensions";

    private readonly IHost _host;
    private readonly IntruderOptions _options;
    private readonly UpstreamModel _upstream;

    internal IntruderRescalingEstimator(IHostEnvironment env, IntruderOptions options)
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

    /// <summary>Looks at the weights of the model behind the score column; the rows themselves are not read. The caller disposes the transformer.</summary>
    /// <exception cref="ArgumentException">
    /// There is no fine-tuned model behind the score column, one of its text columns is gone or was changed, a setting does not fit the model, or
    /// the validation rows cannot be used.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and BaseModel is not given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">Stopped through the options' token or MLContext.CancelExecution.</exception>
    public IntruderRescalingTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var model = _upstream.Find(input.Schema);
        CheckValidationColumns(model);
        using var channel = _host.Start("Rescale");
        using var share = model.AcquireShare();
        var classifier = share.Resource.Classifier;

        using var changes = classifier.OpenChanges(_options.BaseModel);
        var names = NamesOf(classifier, changes);
        // Validation rows that cannot be used are found before the decompositions.
        var search = _options.ValidationSet is { } validation
            ? new ScaleSearch(new ValidationRows(model, classifier.Description, validation, _options.LabelColumnName, nameof(IntruderOptions.Scale), CheckCancelled))
            : null;
        var settings = new SpectralSettings { TopK = [_options.TopK], Epsilon = [_options.Epsilon] };
        using var spectra = ModelSpectra.Measure(changes, names, settings, classifier.Device, CheckCancelled);

        var (scale, trials) = search?.Choose(classifier, spectra, _options) ?? (_options.Scale ?? IntruderOptions.DefaultScale, []);
        var fingerprint = ModelFingerprint.Of(classifier);
        var (plans, factors) = spectra.Rescale(_options.Rescaling(scale), _options.Rank);
        var corrections = new ModelCorrections(fingerprint) { Factors = factors };
        var outcome = new RescalingOutcome(_options.ScoreColumnName, _options.Which, scale, plans, trials);
        Log(channel, outcome, spectra.Findings);
        return new IntruderRescalingTransformer(_host, outcome, corrections);
    }

    private void CheckValidationColumns(IFineTunedModel model)
    {
        if (_options.ValidationSet is not { } validation) return;
        new ColumnCheck($"{Component}'s ValidationSet", validation.Schema)
            .RequireAnyLabel(_options.LabelColumnName).Require(model.Columns).ThrowIfFaulty(_host, nameof(IntruderOptions.ValidationSet));
    }

    private IReadOnlyList<string> NamesOf(TextClassifier classifier, IWeightChanges changes)
    {
        var targeted = new TargetedMatrices(classifier.Description.Base.Config, _options.TargetModules);
        var names = targeted.Of(changes.Names);
        var isFull = classifier.Description.Lora is null;
        List<string> faults =
        [
            .. targeted.Faults(),
            .. isFull && _options.Which is (RescalingKind.Uniform or RescalingKind.UniformGlobal)
                ? [
                    $"Which is {_options.Which}, which shrinks the whole change, and the model was fine-tuned in full: that change has no low-rank form. "
                    + "Use Top, All or Neighbour, or a LoRA model.",
                ]
                : Array.Empty<string>(),
            .. isFull && _options.Rank is { } rank
                ? [$"Rank is {rank}, and the model was fine-tuned in full: its change has no low-rank form. Use null."]
                : Array.Empty<string>(),
        ];
        if (targeted.Narrowest(names) is var (name, shape) && _options.TopK > shape.MaxRank)
            faults.Add(
                $"TopK is {_options.TopK}; '{name}' is {shape.Outputs} by {shape.Inputs} and has {shape.MaxRank} singular values, "
                + $"so use {shape.MaxRank} or less.");
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
    private void Log(IChannel channel, RescalingOutcome outcome, IReadOnlyList<SpectralFinding> findings)
    {
        var intruders = findings.Sum(finding => finding.Intruders.Count);
        if (intruders == 0)
        {
            channel.Info(
                Invariant($"No intruder dimension among the leading {_options.TopK} singular vectors of {findings.Count} matrices ")
                + Invariant($"(epsilon {_options.Epsilon}): the model passes through unchanged."));
            return;
        }
        foreach (var trial in outcome.Trials) channel.Info(Invariant($"Scale {trial.Scale}: accuracy {trial.Accuracy:F4} on ValidationSet."));
        if (outcome.Trials.Count > 0) channel.Info(Invariant($"Chose scale {outcome.Scale}, the smallest within {_options.AccuracyTolerance} of the accuracy at 1."));
        var changed = outcome.Plans.Count(plan => !plan.ChangesNothing);
        channel.Info(Invariant($"{intruders} intruder dimensions in {findings.Count} matrices; {outcome.Which} at scale {outcome.Scale} changes {changed} of them."));
        if (outcome.Plans.Count(plan => !plan.IsMeasurable) is > 0 and var unmeasurable)
            channel.Info($"{unmeasurable} matrices have an intruder and no pretrained direction beside it; they stay as they are.");
        if (outcome.Plans.Count(plan => plan.IsClipped) is > 0 and var clipped)
            channel.Info($"The uniform control of {clipped} matrices reached 0 and moves less far than the rescaling that it stands beside.");
    }
}

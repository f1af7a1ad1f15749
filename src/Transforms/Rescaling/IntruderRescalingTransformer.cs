using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetLoRA;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;

[assembly: LoadableClass(typeof(IntruderRescalingTransformer), null, typeof(SignatureLoadModel),
    "Rescaled intruder dimensions", IntruderRescalingTransformer.LoaderSignature)]

namespace MLNetLoRA;

/// <summary>Scores with the fine-tuned model upstream, its intruder dimensions rescaled, in place of that model's own prediction.</summary>
/// <remarks>
/// <para>Finds the model by the annotation of its score column, and appends a predicted label and scores that hide the older ones; those are not
/// computed any more unless something asks for them. A predicted label that MapKeyToValue has turned into values stays values; columns that were
/// computed from the older prediction under other names keep it.</para>
/// <para>Holds, and saves, nothing but its own low-rank corrections. Thread-safe. Cursors and prediction engines that are open go on after
/// <see cref="Dispose"/>, new ones throw ObjectDisposedException.</para>
/// </remarks>
public sealed class IntruderRescalingTransformer : ITransformer, IModelRepair, IDisposable
{
    internal const string LoaderSignature = "MLNetLoRAIntruders";

    private readonly RescalingOutcome _outcome;
    private readonly ModelRepair _repair;

    internal IntruderRescalingTransformer(IHostEnvironment env, RescalingOutcome outcome, ModelCorrections corrections)
    {
        _outcome = outcome;
        _repair = new ModelRepair(
            env.Register(nameof(IntruderRescalingTransformer)), IntruderRescalingEstimator.Component, "rescaling", nameof(IntruderRescalingTransformer),
            outcome.ScoreColumnName, corrections);
    }

    /// <summary>λ, the factor of the intruders: 1 leaves them as they are, 0 removes them.</summary>
    public double Scale => _outcome.Scale;

    /// <summary>What was rescaled.</summary>
    public RescalingKind Which => _outcome.Which;

    /// <summary>The score column by which the model is found.</summary>
    public string ScoreColumnName => _outcome.ScoreColumnName;

    /// <summary>What the rescaling does to each matrix, in the model's order.</summary>
    public IReadOnlyList<RescalingPlan> Plans => _outcome.Plans;

    /// <summary>What each λ gave on the validation rows, ascending; empty where λ was given.</summary>
    public IReadOnlyList<ScaleTrial> Trials => _outcome.Trials;

    /// <inheritdoc/>
    public bool IsRowToRowMapper => true;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">There is no fine-tuned model behind the score column, or one of its text columns is gone or was changed.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _repair.Scoring(inputSchema).GetOutputSchema(inputSchema);

    /// <summary>A lazy view of <paramref name="input"/> with the rescaled model's prediction appended.</summary>
    /// <exception cref="ArgumentException">There is no fine-tuned model behind the score column, or one of its text columns is gone or was changed.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return _repair.Scoring(input.Schema).Transform(input);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">There is no fine-tuned model behind the score column, or one of its text columns is gone or was changed.</exception>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => _repair.Scoring(inputSchema).GetRowToRowMapper(inputSchema);

    /// <summary>Gives up this transformer's share in its corrections; they go when no cursor or engine uses them any more.</summary>
    public void Dispose() => _repair.Dispose();

    string IModelRepair.Kind => _repair.Kind;

    IFineTunedModel IModelRepair.Over(IFineTunedModel model) => _repair.Over(model);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var corrections = _repair.Acquire();
        RescalingFile.Save(ctx, _outcome, corrections.Resource);
    }

    // ML.NET finds this by its signature, through the LoadableClass attribute above.
    private static IntruderRescalingTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => RescalingFile.Load(env, ctx);
}

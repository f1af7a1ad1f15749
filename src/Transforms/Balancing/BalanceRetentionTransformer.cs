using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetLoRA;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;

[assembly: LoadableClass(typeof(BalanceRetentionTransformer), null, typeof(SignatureLoadModel),
    "Balanced retention", BalanceRetentionTransformer.LoaderSignature)]

namespace MLNetLoRA;

/// <summary>Scores with the fine-tuned model upstream, balanced between its task and its base's knowledge, in place of that model's own prediction.</summary>
/// <remarks>
/// <para>Finds the model by the annotation of its score column, and appends a predicted label and scores that hide the older ones; those are not
/// computed any more unless something asks for them. A predicted label that MapKeyToValue has turned into values stays values; columns that were
/// computed from the older prediction under other names keep it.</para>
/// <para>Holds, and saves, nothing but what it changes: of a LoRA the new A of each matrix, of a fully tuned model what is added to each matrix.
/// Thread-safe. Cursors and prediction engines that are open go on after <see cref="Dispose"/>, new ones throw ObjectDisposedException.</para>
/// </remarks>
public sealed class BalanceRetentionTransformer : ITransformer, IModelRepair, IDisposable
{
    internal const string LoaderSignature = "MLNetLoRABalance";

    private readonly BalanceOutcome _outcome;
    private readonly ModelRepair _repair;

    internal BalanceRetentionTransformer(IHostEnvironment env, BalanceOutcome outcome, ModelCorrections corrections)
    {
        _outcome = outcome;
        _repair = new ModelRepair(
            env.Register(nameof(BalanceRetentionTransformer)), BalanceRetentionEstimator.Component, "balancing", nameof(BalanceRetentionTransformer),
            outcome.ScoreColumnName, corrections);
    }

    /// <summary>μ, how much a disturbance of the retained texts counts against one of the task: 0 changes nothing.</summary>
    public double Strength => _outcome.Strength;

    /// <summary>The score column by which the model is found.</summary>
    public string ScoreColumnName => _outcome.ScoreColumnName;

    /// <summary>How many tokens of task rows were looked at.</summary>
    public long TaskTokens => _outcome.TaskTokens;

    /// <summary>How many tokens of retention texts were looked at.</summary>
    public long RetentionTokens => _outcome.RetentionTokens;

    /// <summary>What the repair does to each matrix, in the model's order.</summary>
    public IReadOnlyList<BalancePlan> Plans => _outcome.Plans;

    /// <summary>What each μ gave on the validation rows, ascending; empty where μ was given.</summary>
    public IReadOnlyList<StrengthTrial> Trials => _outcome.Trials;

    /// <inheritdoc/>
    public bool IsRowToRowMapper => true;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">There is no fine-tuned model behind the score column, or one of its text columns is gone or was changed.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _repair.Scoring(inputSchema).GetOutputSchema(inputSchema);

    /// <summary>A lazy view of <paramref name="input"/> with the balanced model's prediction appended.</summary>
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
        BalanceFile.Save(ctx, _outcome, corrections.Resource);
    }

    // ML.NET finds this by its signature, through the LoadableClass attribute above.
    private static BalanceRetentionTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => BalanceFile.Load(env, ctx);
}

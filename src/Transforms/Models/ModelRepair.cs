using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>What every transformer that repairs a fine-tuned model has in common: it finds the model, corrects it, and scores in its place.</summary>
/// <remarks>
/// Appends a predicted label and scores that hide the older ones. Thread-safe. Cursors and prediction engines that are open go on after
/// <see cref="Dispose"/>, new ones throw ObjectDisposedException.
/// </remarks>
internal sealed class ModelRepair : IDisposable
{
    private readonly IHost _host;
    private readonly string _component;
    private readonly UpstreamModel _upstream;
    private readonly TransformerResource<ModelCorrections> _corrections;

    // By the model upstream, for as long as that lives: whoever scores the same model through this transformer shares one network.
    private readonly ConditionalWeakTable<IFineTunedModel, RepairedModel> _models = [];

    /// <param name="host">The transformer's.</param>
    /// <param name="component">The component as the user typed it.</param>
    /// <param name="kind">What it does, as a noun for messages.</param>
    /// <param name="transformer">The transformer's type, for the exception after it was disposed.</param>
    /// <param name="scoreColumnName">The column that leads to the model.</param>
    /// <param name="corrections">Owned from here on.</param>
    public ModelRepair(IHost host, string component, string kind, string transformer, string scoreColumnName, ModelCorrections corrections)
    {
        (_host, _component, Kind, ScoreColumnName) = (host, component, kind, scoreColumnName);
        _upstream = new UpstreamModel(component, scoreColumnName);
        _corrections = new TransformerResource<ModelCorrections>(transformer, kind, corrections);
    }

    public string Kind { get; }

    public string ScoreColumnName { get; }

    /// <summary>A share in the corrections, to save them.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public SharedOwner<ModelCorrections>.Share Acquire() => _corrections.Acquire();

    /// <summary>The repaired form of a model.</summary>
    public IFineTunedModel Over(IFineTunedModel model) =>
        _models.GetValue(model, upstream => new RepairedModel(upstream, _component, _corrections.Acquire));

    /// <summary>How rows of this schema are scored.</summary>
    /// <exception cref="ArgumentException">There is no fine-tuned model behind the score column, or one of its text columns is gone or was changed.</exception>
    public TextScoring Scoring(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var upstream = _upstream.Find(input);
        var model = Over(upstream);
        // A predicted label that MapKeyToValue has turned into values stays values.
        var predictsValues = upstream.Labels.ValueType is { } values && input.GetColumnOrNull(upstream.Columns.PredictedLabel)?.Type.Equals(values) is true;
        return new TextScoring(
            _host, model.Columns with { Score = ScoreColumnName }, model.Labels, model, model.Settings.BatchSize,
            (annotations, schema) => FineTunedModelAnnotation.Add(annotations, model, schema), predictsValues);
    }

    public void Dispose() => _corrections.Dispose();
}

using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>The type of the annotation through which a Score column leads to the model that computes it.</summary>
internal sealed class FineTunedModelDataViewType : StructuredDataViewType
{
    private FineTunedModelDataViewType() : base(typeof(FineTunedModelReference))
    {
    }

    public static FineTunedModelDataViewType Instance { get; } = new();

    public override bool Equals(DataViewType? other) => other is FineTunedModelDataViewType;

    public override bool Equals(object? other) => other is FineTunedModelDataViewType;

    public override int GetHashCode() => typeof(FineTunedModelDataViewType).GetHashCode();

    public override string ToString() => "FineTunedModel";
}

/// <summary>Leads to a fine-tuned model and does not keep it alive.</summary>
/// <remarks>
/// Weak, because schemas are kept for their column names long after their model is done with. Whatever can score, a view, a row mapper or a
/// transformer, holds the model itself; so where scores can be had the reference leads somewhere.
/// </remarks>
/// <param name="model">The model.</param>
/// <param name="textColumns">
/// How many columns of its text columns' names there were when it was bound: the last of them is what it reads, and those before are hidden by it.
/// </param>
internal sealed class FineTunedModelReference(IFineTunedModel model, IReadOnlyDictionary<string, int> textColumns)
{
    private readonly WeakReference<IFineTunedModel> _model = new(model);

    /// <summary>The model; null when nothing that can score with it is left.</summary>
    public IFineTunedModel? Model => _model.TryGetTarget(out var model) ? model : null;

    /// <summary>Whether a text column has been hidden by another of its name since.</summary>
    public bool IsOverwritten(string textColumn, DataViewSchema schema) => schema.Count(column => column.Name == textColumn) > textColumns[textColumn];
}

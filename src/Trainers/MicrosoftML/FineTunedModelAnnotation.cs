using Microsoft.ML;

namespace MLNetLoRA.Trainers;

/// <summary>The annotation of Score columns that a later component of a chain finds the fine-tuned model by.</summary>
/// <remarks>
/// It goes wherever the column goes unchanged: through MapKeyToValue, caches, CopyColumns, SelectColumns and cross-validation. What computes
/// new values from scores, NormalizeMinMax and Concatenate, makes a column without it. Data files do not hold it.
/// </remarks>
internal static class FineTunedModelAnnotation
{
    public const string Kind = "FineTunedModel";

    /// <summary>The annotation in the shape of a pipeline that has not been fitted yet.</summary>
    public static SchemaShape.Column Shape { get; } =
        new(Kind, SchemaShape.Column.VectorKind.Scalar, FineTunedModelDataViewType.Instance, isKey: false);

    /// <summary>Publishes a model that is bound to <paramref name="input"/>.</summary>
    public static void Add(DataViewSchema.Annotations.Builder annotations, IFineTunedModel model, DataViewSchema input)
    {
        string?[] texts = [model.Columns.Sentence1, model.Columns.Sentence2];
        var reference = new FineTunedModelReference(
            model, texts.OfType<string>().Distinct().ToDictionary(text => text, text => input.Count(column => column.Name == text)));
        annotations.Add(Kind, FineTunedModelDataViewType.Instance, (ref FineTunedModelReference value) => value = reference);
    }

    /// <summary>Whether a column has the annotation.</summary>
    public static bool IsOn(DataViewSchema.Column column) =>
        column.Annotations.Schema.GetColumnOrNull(Kind)?.Type is FineTunedModelDataViewType;

    /// <summary>Whether a column of a pipeline that has not been fitted yet will have the annotation.</summary>
    public static bool IsOn(SchemaShape.Column column) =>
        column.Annotations.TryFindColumn(Kind, out var found) && found.ItemType is FineTunedModelDataViewType;

    /// <summary>What a column that has the annotation refers to.</summary>
    public static FineTunedModelReference Reference(DataViewSchema.Column column)
    {
        FineTunedModelReference? reference = null;
        column.Annotations.GetValue(Kind, ref reference);
        return reference!;
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>What a text trainer asks of, and promises to, a pipeline that has not been fitted yet.</summary>
internal static class TextTrainerShape
{
    /// <summary>The input's shape with PredictedLabel and Score added; a column of the same name is replaced.</summary>
    /// <param name="host">Throws for the component.</param>
    /// <param name="inputSchema">What is known of the input.</param>
    /// <param name="columns">Columns read and written.</param>
    /// <param name="labelColumnName">The label.</param>
    /// <param name="scoreAnnotations">What the Score column is annotated with beyond ML.NET's own.</param>
    /// <exception cref="ArgumentException">A text column or the label is missing or holds something else.</exception>
    public static SchemaShape Output(
        IExceptionContext host, SchemaShape inputSchema, TextColumns columns, string labelColumnName, params SchemaShape.Column[] scoreAnnotations)
    {
        new ColumnCheck(columns.Component, inputSchema).RequireLabel(labelColumnName).Require(columns).ThrowIfFaulty(host, nameof(inputSchema));

        inputSchema.TryFindColumn(labelColumnName, out var label);
        var output = inputSchema.ToDictionary(column => column.Name);
        output[columns.PredictedLabel] = new SchemaShape.Column(columns.PredictedLabel, SchemaShape.Column.VectorKind.Scalar,
            NumberDataViewType.UInt32, isKey: true, new SchemaShape(PredictedLabelAnnotations(label)));
        output[columns.Score] = new SchemaShape.Column(columns.Score, SchemaShape.Column.VectorKind.Vector,
            NumberDataViewType.Single, isKey: false,
            new SchemaShape(AnnotationUtils.AnnotationsForMulticlassScoreColumn(label).Concat(scoreAnnotations)));
        return new SchemaShape(output.Values);
    }

    /// <summary>The input's shape with an encoder's columns added; a column of the same name is replaced.</summary>
    /// <exception cref="ArgumentException">The text column is missing or holds something else.</exception>
    public static SchemaShape Output(IExceptionContext host, SchemaShape inputSchema, EncoderColumns columns)
    {
        new ColumnCheck(EncoderColumns.Component, inputSchema).RequireText(columns.Sentence1, "Sentence1ColumnName").ThrowIfFaulty(host, nameof(inputSchema));

        var output = inputSchema.ToDictionary(column => column.Name);
        output[columns.Features] = new SchemaShape.Column(columns.Features, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, isKey: false);
        if (columns.Loss is { } loss)
            output[loss] = new SchemaShape.Column(loss, SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.Single, isKey: false);
        return new SchemaShape(output.Values);
    }

    private static IEnumerable<SchemaShape.Column> PredictedLabelAnnotations(SchemaShape.Column label)
    {
        var annotations = AnnotationUtils.GetTrainerOutputAnnotation();
        return label.Annotations.TryFindColumn(AnnotationUtils.Kinds.KeyValues, out var values) ? annotations.Append(values) : annotations;
    }
}

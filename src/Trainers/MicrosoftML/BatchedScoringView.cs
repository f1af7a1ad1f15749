using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>The input with a text model's columns appended, computed in batches when, and only when, a cursor asks for them.</summary>
/// <remarks>
/// It is an <see cref="IDataTransform"/> for the sake of one visitor, ML.NET's ONNX converter: that walks back through transforms, takes
/// anything else for the pipeline's source, and would then export a model that asks its caller for the scores.
/// </remarks>
internal sealed class BatchedScoringView(IHost host, TextScoringBindings bindings, ITextScorerSource source, int batchSize, IDataView input)
    : ITransformCanSaveOnnx
{
    public DataViewSchema Schema => bindings.OutputSchema;

    public IDataView Source => input;

    public bool CanShuffle => input.CanShuffle;

    public long? GetRowCount() => input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var outputs = columnsNeeded.ToArray();
        var active = new bool[Schema.Count];
        foreach (var column in outputs) active[column.Index] = true;

        var rows = input.GetRowCursor(bindings.DependenciesOf(outputs), rand);
        try
        {
            return bindings.AsksForScores(active)
                ? new BatchedScoringCursor(host, bindings, source.Acquire(), batchSize, rows, active)
                : new UnscoredCursor(bindings, rows, active);
        }
        catch
        {
            rows.Dispose();
            throw;
        }
    }

    /// <summary>Always one cursor: the model uses all cores, or the GPU, by itself.</summary>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    bool ICanSaveOnnx.CanSaveOnnx(OnnxContext ctx) => throw OnnxNotSupported();

    void ISaveAsOnnx.SaveAsOnnx(OnnxContext ctx) => throw OnnxNotSupported();

    void ICanSaveModel.Save(ModelSaveContext ctx) =>
        throw new NotSupportedException("Scored data is not a model; save the transformer with mlContext.Model.Save.");

    private static NotSupportedException OnnxNotSupported() => new(
        "ConvertToOnnx is not supported for text models of MLNetLoRA: neither their tokenizer nor their network has an ONNX form here. "
        + "Save the chain with mlContext.Model.Save and score it with ML.NET in a .NET process; where it must be ONNX, fine-tune the "
        + "same checkpoint with Python's transformers and export it from there with optimum.");
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Transforms;

namespace MLNetLoRA;

/// <summary>What fine-tuning did to a model's weights, matrix by matrix, as numbers.</summary>
/// <remarks>Immutable and thread-safe; holds no tensor.</remarks>
public sealed record SpectralReport
{
    /// <summary>What the base is called.</summary>
    public required string BaseName { get; init; }

    /// <summary>"lora" or "full".</summary>
    public required string Method { get; init; }

    /// <summary>One finding per matrix, in the model's order, named by its checkpoint key without ".weight".</summary>
    public required IReadOnlyList<SpectralFinding> Matrices { get; init; }

    /// <summary>What else was trained and is not measured, by checkpoint key, each with the reason.</summary>
    public required IReadOnlyDictionary<string, string> Skipped { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Intruders in all matrices, at the first threshold and top k.</summary>
    public int IntruderCount => Matrices.Sum(matrix => matrix.Intruders.Count);

    /// <summary>Intruders in all matrices, at a threshold among the leading <paramref name="topK"/> vectors or as many as a smaller matrix has.</summary>
    /// <param name="epsilon">Above 0 and below 1; one of the thresholds that were looked for.</param>
    /// <param name="topK">1 to the largest number that was looked for.</param>
    public int IntruderCountAt(double epsilon, int topK) =>
        Matrices.Sum(matrix => matrix.IntrudersAt(epsilon, Math.Min(topK, (int)Math.Min(matrix.Rows, matrix.Columns))).Count);

    /// <summary>One row per matrix, to filter, sort, and save like any data.</summary>
    /// <remarks>
    /// Name, Rows, Columns, Intruders (a count), then one slot per leading singular vector in MaxAbsCosine, SingularValue and IsIntruder, then
    /// Margin, EffectiveRank, DeltaFrobenius, IntruderEnergyShare. Vectors have the length of the longest; a smaller matrix fills up with NaN
    /// and false.
    /// </remarks>
    /// <param name="mlContext">Where the data is used.</param>
    public IDataView ToDataView(MLContext mlContext)
    {
        ArgumentNullException.ThrowIfNull(mlContext);
        var slots = Matrices.Select(matrix => matrix.Triples.Count).DefaultIfEmpty(1).Max();
        var schema = SchemaDefinition.Create(typeof(SpectralRow));
        schema[nameof(SpectralRow.MaxAbsCosine)].ColumnType = new VectorDataViewType(NumberDataViewType.Double, slots);
        schema[nameof(SpectralRow.SingularValue)].ColumnType = new VectorDataViewType(NumberDataViewType.Double, slots);
        schema[nameof(SpectralRow.IsIntruder)].ColumnType = new VectorDataViewType(BooleanDataViewType.Instance, slots);
        return mlContext.Data.LoadFromEnumerable(Matrices.Select(matrix => SpectralRow.Of(matrix, slots)), schema);
    }
}

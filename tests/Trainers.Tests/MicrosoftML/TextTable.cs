using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

/// <summary>A row with columns of every kind a cursor has to carry along.</summary>
internal sealed class TextTableRow
{
    public string Title { get; set; } = "";
    public string Body { get; set; } = "";
    public string Label { get; set; } = "";
    public float Number { get; set; }
    public bool Flag { get; set; }
    public DateTime Date { get; set; }
    public string[] Tags { get; set; } = [];
    public float[] Variable { get; set; } = [];
    [VectorType(3)] public float[] Fixed { get; set; } = [];
}

/// <summary>Made-up rows: the same number gives the same row.</summary>
internal static class TextTable
{
    public static readonly string[] Classes = ["neg", "neutral", "pos"];

    public static readonly TextColumns SingleColumns = new("LoraTextClassification", "Body", null, "Score", "PredictedLabel");

    public static readonly TextColumns PairColumns = SingleColumns with { Sentence2 = "Title" };

    public static TextTableRow Row(int i) => new()
    {
        Title = $"title {i % 7}",
        Body = $"the body of row {i}",
        Label = Classes[i * 5 % 3],
        Number = i,
        Flag = i % 3 == 0,
        Date = new DateTime(2020, 1, 1).AddDays(i),
        Tags = [.. Enumerable.Range(0, i % 4).Select(t => $"tag {i}/{t}")],
        Variable = [.. Enumerable.Range(0, i % 5).Select(v => i + v / 10f)],
        Fixed = i % 2 == 0 ? [0, 0, i] : [i, 2, 3],
    };

    /// <summary>Rows 0, 1, … with a key column 'Label' over <see cref="Classes"/> in that order, and a key vector 'TagKeys'.</summary>
    public static IDataView Create(MLContext ml, int rows)
    {
        var data = ml.Data.LoadFromEnumerable(Enumerable.Range(0, rows).Select(Row).ToArray());
        var order = ml.Data.LoadFromEnumerable(Classes.Select(name => new { Label = name }));
        return ml.Transforms.Conversion.MapValueToKey("Label", keyData: order)
            .Append(ml.Transforms.Conversion.MapValueToKey("TagKeys", "Tags"))
            .Fit(data).Transform(data);
    }

    public static FakeTextTransformer Transformer(MLContext ml, IDataView data, TextColumns? columns = null, int batchSize = 4) =>
        new(ml, columns ?? SingleColumns, LabelValues.From(data.Schema["Label"]), new FakeScorer(Classes.Length), [1, 2, 3], batchSize);
}

using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

public class TextScoringBindingsTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void ScoredColumns_TextLabels_CarryMicrosoftsAnnotations()
    {
        // Microsoft's own multiclass trainer on the same label column is the reference for kinds and types.
        var data = TextTable.Create(_ml, 30);
        var features = _ml.Transforms.Concatenate("Features", "Number").Fit(data).Transform(data);
        var theirs = _ml.MulticlassClassification.Trainers.NaiveBayes().Fit(features).Transform(features).Schema;
        using var transformer = TextTable.Transformer(_ml, data);
        var ours = transformer.GetOutputSchema(data.Schema);
        foreach (var name in new[] { "PredictedLabel", "Score" })
        {
            Assert.Equal(theirs[name].Type, ours[name].Type);
            Assert.Equal(
                theirs[name].Annotations.Schema.Select(a => $"{a.Name}: {a.Type}").Order(),
                ours[name].Annotations.Schema.Select(a => $"{a.Name}: {a.Type}").Order());
            Assert.Equal(Text(theirs[name], "ScoreColumnKind"), Text(ours[name], "ScoreColumnKind"));
            Assert.Equal(Text(theirs[name], "ScoreValueKind"), Text(ours[name], "ScoreValueKind"));
        }
        Assert.Equal(TextTable.Classes, Texts(ours["PredictedLabel"], "KeyValues"));
        Assert.Equal(TextTable.Classes, Texts(ours["Score"], "SlotNames"));
        Assert.Equal(TextTable.Classes, Texts(ours["Score"], "TrainingLabelValues"));
    }

    [Fact]
    public void ScoredColumns_NumericLabels_KeepTheirTypeAndHaveNoSlotNames()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new { Label = 0.5f, Body = "a" }, new { Label = 2f, Body = "b" } });
        data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
        using var transformer = TextTable.Transformer(_ml, data);
        var schema = transformer.GetOutputSchema(data.Schema);
        VBuffer<float> values = default;
        schema["PredictedLabel"].Annotations.GetValue("KeyValues", ref values);
        Assert.Equal([0.5f, 2f], values.DenseValues());
        Assert.Null(schema["Score"].Annotations.Schema.GetColumnOrNull("SlotNames"));
        Assert.NotNull(schema["Score"].Annotations.Schema.GetColumnOrNull("TrainingLabelValues"));
    }

    [Fact]
    public void ScoredColumns_OfTwoScorersInARow_HaveDifferentSetIds()
    {
        var data = TextTable.Create(_ml, 2);
        using var transformer = TextTable.Transformer(_ml, data);
        var once = transformer.GetOutputSchema(data.Schema);
        var twice = transformer.GetOutputSchema(once);
        Assert.NotEqual(SetId(once["Score"]), SetId(twice["Score"]));
        Assert.Equal(SetId(twice["PredictedLabel"]), SetId(twice["Score"]));

        static uint SetId(DataViewSchema.Column column)
        {
            uint id = 0;
            column.Annotations.GetValue("ScoreColumnSetId", ref id);
            return id;
        }
    }

    [Fact]
    public void AnnotateScore_ByTheOwner_ShowsInTheScoreColumnOnly()
    {
        var data = TextTable.Create(_ml, 2);
        var scoring = new TextScoring(((Microsoft.ML.Runtime.IHostEnvironment)_ml).Register("test"), TextTable.SingleColumns,
            LabelValues.From(data.Schema["Label"]), TextTable.Transformer(_ml, data), 4,
            (annotations, input) => annotations.Add("Model", NumberDataViewType.Int32, (ref int value) => value = 40 + input.Count));
        var schema = scoring.Transform(data).Schema;
        var value = 0;
        schema["Score"].Annotations.GetValue("Model", ref value);
        Assert.Equal(40 + data.Schema.Count, value);
        Assert.Null(schema["PredictedLabel"].Annotations.Schema.GetColumnOrNull("Model"));
    }

    [Fact]
    public void Evaluate_OnScoredData_CountsEveryRow()
    {
        var data = TextTable.Create(_ml, 45);
        using var transformer = TextTable.Transformer(_ml, data);
        var metrics = _ml.MulticlassClassification.Evaluate(transformer.Transform(data));
        var rows = Enumerable.Range(0, 45).Select(TextTable.Row).ToArray();
        var scores = rows.Select(r => transformer.Scorer.Expected(new(r.Body, null))).ToArray();
        var hits = rows.Where((r, i) => TextTable.Classes[Array.IndexOf(scores[i], scores[i].Max())] == r.Label).Count();
        var logLoss = rows.Select((r, i) => -Math.Log(scores[i][Array.IndexOf(TextTable.Classes, r.Label)])).Average();
        Assert.Equal(hits / 45.0, metrics.MicroAccuracy, 9);
        Assert.Equal(logLoss, metrics.LogLoss, 5);
        Assert.Equal(3, metrics.PerClassLogLoss.Count);
    }

    [Fact]
    public void CrossValidate_WithKeyToValue_ScoresAllFoldsAndReleasesThem()
    {
        var data = TextTable.Create(_ml, 60);
        var folds = _ml.MulticlassClassification.CrossValidate(data, new FakeTextTrainer(_ml, TextTable.SingleColumns), numberOfFolds: 3);
        Assert.Equal(60, folds.Sum(f => (int)f.ScoredHoldOutSet.GetColumn<uint>("PredictedLabel").LongCount()));
        Assert.All(folds, f => Assert.Equal(0, ((FakeTextTransformer)f.Model).Scorer.OpenLeases));
    }

    [Fact]
    public void MapKeyToValue_OnPredictedLabel_GivesClassNames()
    {
        var data = TextTable.Create(_ml, 20);
        var scored = new FakeTextTrainer(_ml, TextTable.SingleColumns).Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(data).Transform(data);
        var scorer = new FakeScorer(3);
        Assert.Equal(
            Enumerable.Range(0, 20).Select(i => TextTable.Classes[scorer.ExpectedKey(new(TextTable.Row(i).Body, null)) - 1]),
            scored.GetColumn<string>("PredictedLabel"));
    }

    private static string Text(DataViewSchema.Column column, string kind)
    {
        ReadOnlyMemory<char> text = default;
        column.Annotations.GetValue(kind, ref text);
        return text.ToString();
    }

    private static IEnumerable<string> Texts(DataViewSchema.Column column, string kind)
    {
        VBuffer<ReadOnlyMemory<char>> texts = default;
        column.Annotations.GetValue(kind, ref texts);
        return [.. texts.DenseValues().Select(t => t.ToString())];
    }
}

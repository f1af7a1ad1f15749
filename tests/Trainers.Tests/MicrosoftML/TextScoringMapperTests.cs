using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

public class TextScoringMapperTests
{
    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";
        public float[] Score { get; set; } = [];
    }

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void PredictionEngine_InAChain_GivesTheLabelsOwnValueAndScores()
    {
        var data = TextTable.Create(_ml, 12);
        using var transformer = TextTable.Transformer(_ml, data);
        using var engine = _ml.Model.CreatePredictionEngine<TextTableRow, Prediction>(Chain(transformer, data), new PredictionEngineOptions { OwnsTransformer = false });
        for (var i = 0; i < 12; i++)
        {
            var prediction = engine.Predict(TextTable.Row(i));
            var row = new TextRow(TextTable.Row(i).Body, null);
            Assert.Equal(transformer.Scorer.Expected(row), prediction.Score);
            Assert.Equal(TextTable.Classes[transformer.Scorer.ExpectedKey(row) - 1], prediction.PredictedLabel);
        }
    }

    [Fact]
    public void PredictionEngine_BothScoredColumns_ScoresEachRowOnce()
    {
        var data = TextTable.Create(_ml, 1);
        using var transformer = TextTable.Transformer(_ml, data);
        using var engine = _ml.Model.CreatePredictionEngine<TextTableRow, Prediction>(Chain(transformer, data), new PredictionEngineOptions { OwnsTransformer = false });
        for (var i = 0; i < 5; i++) engine.Predict(TextTable.Row(3));   // the same text is a new row all the same
        Assert.Equal([1, 1, 1, 1, 1], transformer.Scorer.Batches);
    }

    [Fact]
    public void PredictionEngine_DisposedWithItsTransformer_LeavesOtherEnginesWorking()
    {
        // Engines own their transformer unless told otherwise: this Dispose reaches it through the chain.
        var data = TextTable.Create(_ml, 1);
        var transformer = TextTable.Transformer(_ml, data);
        var chain = Chain(transformer, data);
        var first = _ml.Model.CreatePredictionEngine<TextTableRow, Prediction>(chain);
        using var second = _ml.Model.CreatePredictionEngine<TextTableRow, Prediction>(chain);
        first.Dispose();
        Assert.NotEmpty(second.Predict(TextTable.Row(0)).Score);
        Assert.False(transformer.Scorer.IsDisposed);
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.CreatePredictionEngine<TextTableRow, Prediction>(chain));
    }

    [Fact]
    public void PredictionEngine_DisposedAndCollected_HasReleasedItsLease()
    {
        var data = TextTable.Create(_ml, 1);
        var transformer = TextTable.Transformer(_ml, data);
        PredictAndDispose(Chain(transformer, data));
        transformer.Dispose();
        for (var i = 0; i < 10 && !transformer.Scorer.IsDisposed; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.Equal(0, transformer.Scorer.OpenLeases);
        Assert.True(transformer.Scorer.IsDisposed);
    }

    // A method of its own, so that no local of the test keeps the engine alive.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private void PredictAndDispose(ITransformer chain)
    {
        using var engine = _ml.Model.CreatePredictionEngine<TextTableRow, Prediction>(chain, new PredictionEngineOptions { OwnsTransformer = false });
        engine.Predict(TextTable.Row(0));
    }

    [Fact]
    public void Row_DisposedByItsHolder_ReleasesItsLease()
    {
        var data = TextTable.Create(_ml, 1);
        using var transformer = TextTable.Transformer(_ml, data);
        var mapper = transformer.GetRowToRowMapper(data.Schema);
        var row = mapper.GetRow(data.GetRowCursor(data.Schema), mapper.OutputSchema);
        Assert.Equal(1, transformer.Scorer.OpenLeases);
        row.Dispose();
        row.Dispose();
        Assert.Equal(0, transformer.Scorer.OpenLeases);
    }

    [Fact]
    public void Row_OnlyInputColumnsActive_HoldsNoModel()
    {
        var data = TextTable.Create(_ml, 2);
        using var transformer = TextTable.Transformer(_ml, data);
        var mapper = transformer.GetRowToRowMapper(data.Schema);
        using var cursor = data.GetRowCursor(data.Schema);
        using var row = mapper.GetRow(cursor, [mapper.OutputSchema["Number"]]);
        Assert.Equal(0, transformer.Scorer.OpenLeases);
        Assert.False(row.IsColumnActive(mapper.OutputSchema["Score"]));
        Assert.Throws<InvalidOperationException>(() => row.GetGetter<VBuffer<float>>(mapper.OutputSchema["Score"]));
    }

    [Fact]
    public void Row_ScorerFailedOnce_ScoresTheSameRowAgain()
    {
        var data = TextTable.Create(_ml, 1);
        using var transformer = TextTable.Transformer(_ml, data);
        var mapper = transformer.GetRowToRowMapper(data.Schema);
        using var cursor = data.GetRowCursor(data.Schema);
        using var row = mapper.GetRow(cursor, mapper.OutputSchema);
        var predicted = row.GetGetter<uint>(mapper.OutputSchema["PredictedLabel"]);
        Assert.True(cursor.MoveNext());
        uint key = 0;
        transformer.Scorer.OnScore = () => throw new IOException();
        Assert.Throws<IOException>(() => predicted(ref key));
        transformer.Scorer.OnScore = null;
        predicted(ref key);
        Assert.Equal(transformer.Scorer.ExpectedKey(new(TextTable.Row(0).Body, null)), key);
    }

    [Fact]
    public void Dependencies_OfScoredAndInputColumns_AreTheTextAndThoseColumns()
    {
        var data = TextTable.Create(_ml, 1);
        using var transformer = TextTable.Transformer(_ml, data, TextTable.PairColumns);
        var mapper = transformer.GetRowToRowMapper(data.Schema);
        var output = mapper.OutputSchema;
        Assert.Equal(["Title", "Body"], mapper.GetDependencies([output["Score"]]).Select(c => c.Name));
        Assert.Equal(["Number"], mapper.GetDependencies([output["Number"]]).Select(c => c.Name));
        Assert.Empty(mapper.GetDependencies([]));
    }

    private ITransformer Chain(FakeTextTransformer transformer, IDataView data)
    {
        var toValue = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(transformer.Transform(data));
        return new TransformerChain<ITransformer>(transformer, toValue);
    }
}

using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

public class BatchedScoringViewTests
{
    private const int Rows = 45;   // no multiple of any batch size below

    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(64)]
    public void Cursor_AnyActiveColumnsShuffledOrNot_ServesWhatTheRowMapperServes(int batchSize)
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data, TextTable.PairColumns, batchSize);
        var view = transformer.Transform(data);
        var random = new Random(7);
        for (var trial = 0; trial < 30; trial++)
        {
            var active = view.Schema.Where(_ => random.Next(3) > 0).ToArray();
            int? shuffle = random.Next(2) == 0 ? null : random.Next();

            var batched = Read(view, active, shuffle);

            Assert.Equal(ReadThroughMapper(transformer, data, active, shuffle), batched);
            Assert.Equal(Rows, batched.Count);
        }
        Assert.Equal(0, transformer.Scorer.OpenLeases);
    }

    [Fact]
    public void Cursor_OnEveryRow_PredictsTheExpectedScoresAndKey()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        using var cursor = view.GetRowCursor([view.Schema["Score"], view.Schema["PredictedLabel"]]);
        var score = cursor.GetGetter<VBuffer<float>>(view.Schema["Score"]);
        var predicted = cursor.GetGetter<uint>(view.Schema["PredictedLabel"]);
        for (var i = 0; i < Rows; i++)
        {
            Assert.True(cursor.MoveNext());
            Assert.Equal(i, cursor.Position);
            VBuffer<float> scores = default;
            uint key = 0;
            predicted(ref key);
            score(ref scores);
            var row = new TextRow(TextTable.Row(i).Body, null);
            Assert.Equal(transformer.Scorer.Expected(row), scores.DenseValues().ToArray());
            Assert.Equal(transformer.Scorer.ExpectedKey(row), key);
        }
        Assert.False(cursor.MoveNext());
        Assert.False(cursor.MoveNext());
        Assert.Equal(-1, cursor.Position);
    }

    [Fact]
    public void Cursor_PairColumns_HandsBothSentencesToTheScorer()
    {
        var data = TextTable.Create(_ml, 3);
        using var transformer = TextTable.Transformer(_ml, data, TextTable.PairColumns);
        var predicted = transformer.Transform(data).GetColumn<uint>("PredictedLabel").ToArray();
        Assert.Equal(Enumerable.Range(0, 3).Select(i => transformer.Scorer.ExpectedKey(new(TextTable.Row(i).Body, TextTable.Row(i).Title))), predicted);
    }

    [Fact]
    public void Cursor_OnlyInputColumns_NeitherScoresNorHoldsTheModel()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        using (var cursor = view.GetRowCursor([view.Schema["Body"], view.Schema["Number"]]))
        {
            Assert.Equal(0, transformer.Scorer.OpenLeases);
            while (cursor.MoveNext()) { }
        }
        Assert.Equal(Rows, view.GetColumn<float>("Number").Count());
        Assert.Empty(transformer.Scorer.Batches);
    }

    [Fact]
    public void Cursor_BeforeTheFirstRow_HasReadNothingAndRefusesValues()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        using var cursor = view.GetRowCursor(view.Schema);
        var number = cursor.GetGetter<float>(view.Schema["Number"]);
        var predicted = cursor.GetGetter<uint>(view.Schema["PredictedLabel"]);
        float value = 0;
        uint key = 0;
        Assert.Throws<InvalidOperationException>(() => number(ref value));
        Assert.Throws<InvalidOperationException>(() => predicted(ref key));
        Assert.Empty(transformer.Scorer.Batches);
        while (cursor.MoveNext()) { }
        Assert.Throws<InvalidOperationException>(() => number(ref value));
        Assert.Throws<InvalidOperationException>(() => predicted(ref key));
    }

    [Fact]
    public void TakeRows_FewOfMany_ScoresFewerThanTwiceTheRowsTaken()
    {
        var data = TextTable.Create(_ml, 500);
        using var transformer = TextTable.Transformer(_ml, data, batchSize: 64);
        var view = transformer.Transform(data);
        foreach (var take in new[] { 1, 5, 20, 100 })
        {
            var before = transformer.Scorer.RowsScored;
            Assert.Equal(take, _ml.Data.TakeRows(view, take).GetColumn<uint>("PredictedLabel").Count());
            Assert.InRange(transformer.Scorer.RowsScored - before, take, 2 * take - 1);
        }
    }

    [Fact]
    public void Cursor_ReadToTheEnd_ReachesTheFullBatchSize()
    {
        var data = TextTable.Create(_ml, 100);
        using var transformer = TextTable.Transformer(_ml, data, batchSize: 16);
        _ = transformer.Transform(data).GetColumn<uint>("PredictedLabel").Count();
        Assert.Equal([1, 2, 4, 8, 16, 16, 16, 16, 16, 5], transformer.Scorer.Batches);
    }

    [Fact]
    public void SkipRows_BeforeTheFirstValueRead_DoesNotScoreWholeSkippedBatches()
    {
        var data = TextTable.Create(_ml, 100);
        using var transformer = TextTable.Transformer(_ml, data, batchSize: 8);
        var all = transformer.Transform(data);
        var skipped = _ml.Data.SkipRows(all, 90).GetColumn<uint>("PredictedLabel").ToArray();
        Assert.InRange(transformer.Scorer.RowsScored, 10, 10 + 8);
        Assert.Equal(all.GetColumn<uint>("PredictedLabel").Skip(90), skipped);
    }

    [Fact]
    public void Cache_ReadTwice_ScoresOnceAndServesTheSame()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        var direct = view.GetColumn<float[]>("Score").ToArray();
        var before = transformer.Scorer.RowsScored;
        var cached = _ml.Data.Cache(view, "Score", "PredictedLabel", "Body");
        Assert.Equal(direct, cached.GetColumn<float[]>("Score").ToArray());
        Assert.Equal(direct, cached.GetColumn<float[]>("Score").ToArray());
        Assert.Equal(Rows, transformer.Scorer.RowsScored - before);
        Assert.Equal(view.GetColumn<string>("Body"), cached.GetColumn<string>("Body"));
    }

    [Fact]
    public void Cursors_Interleaved_DoNotDisturbEachOther()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        var columns = new[] { view.Schema["Number"], view.Schema["Score"] };
        var expected = Read(view, columns, null);
        using var first = view.GetRowCursor(columns);
        using var second = view.GetRowCursor(columns);
        var (readFirst, readSecond) = (Reader(first, columns), Reader(second, columns));
        for (var i = 0; i < Rows; i++)
        {
            Assert.True(first.MoveNext());
            if (i % 2 == 0) continue;
            Assert.True(second.MoveNext());
            Assert.Equal(expected[i], readFirst());
            Assert.Equal(expected[i / 2], readSecond());
        }
        Assert.Equal(2, transformer.Scorer.OpenLeases);
    }

    [Fact]
    public void CursorSet_AskedForMany_IsOneCursorOverAllRows()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        var cursors = view.GetRowCursorSet(view.Schema, 8);
        using var cursor = Assert.Single(cursors);
        var rows = 0;
        while (cursor.MoveNext()) rows++;
        Assert.Equal(Rows, rows);
        Assert.Equal(data.GetRowCount(), view.GetRowCount());
    }

    [Fact]
    public void Values_CopiedBeforeMovingOn_StayAsTheyWere()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data, batchSize: 4);
        var view = transformer.Transform(new RecyclingView(data));
        using var cursor = view.GetRowCursor(view.Schema);
        var body = cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Body"]);
        var tags = cursor.GetGetter<VBuffer<ReadOnlyMemory<char>>>(view.Schema["Tags"]);
        var variable = cursor.GetGetter<VBuffer<float>>(view.Schema["Variable"]);
        var seen = new List<(ReadOnlyMemory<char> Body, VBuffer<ReadOnlyMemory<char>> Tags, VBuffer<float> Variable)>();
        while (cursor.MoveNext())
        {
            ReadOnlyMemory<char> text = default;
            VBuffer<ReadOnlyMemory<char>> texts = default;
            VBuffer<float> numbers = default;
            body(ref text);
            tags(ref texts);
            variable(ref numbers);
            seen.Add((text, texts, numbers));
        }
        Assert.Equal(Rows, seen.Count);
        for (var i = 0; i < Rows; i++)
        {
            var row = TextTable.Row(i);
            Assert.Equal(row.Body, seen[i].Body.ToString());
            Assert.Equal(row.Tags, seen[i].Tags.DenseValues().Select(t => t.ToString()));
            Assert.Equal(row.Variable, seen[i].Variable.DenseValues());
        }
    }

    [Fact]
    public void Cursor_ScorerFails_PassesTheErrorOnAndReleasesTheModel()
    {
        var data = TextTable.Create(_ml, Rows);
        using var transformer = TextTable.Transformer(_ml, data);
        transformer.Scorer.OnScore = () => throw new IOException("device lost");
        var view = transformer.Transform(data);
        Assert.Throws<IOException>(() => view.GetColumn<uint>("PredictedLabel").Count());
        Assert.Equal(0, transformer.Scorer.OpenLeases);
    }

    [Fact]
    public void Cursor_ExecutionCancelled_StopsWithinOneBatch()
    {
        var data = TextTable.Create(_ml, 400);
        using var transformer = TextTable.Transformer(_ml, data, batchSize: 8);
        transformer.Scorer.OnScore = () => { if (transformer.Scorer.RowsScored > 50) _ml.CancelExecution(); };
        Assert.Throws<OperationCanceledException>(() => transformer.Transform(data).GetColumn<uint>("PredictedLabel").Count());
        Assert.InRange(transformer.Scorer.RowsScored, 51, 51 + 16);
    }

    [Fact]
    public void Cursor_AfterTheTransformerIsDisposed_OpenOneGoesOnNewOneIsRefused()
    {
        var data = TextTable.Create(_ml, Rows);
        var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        using var cursor = view.GetRowCursor(view.Schema);
        transformer.Dispose();
        Assert.True(cursor.MoveNext());
        var predicted = cursor.GetGetter<uint>(view.Schema["PredictedLabel"]);
        uint key = 0;
        predicted(ref key);
        Assert.NotEqual(0u, key);
        Assert.Throws<ObjectDisposedException>(() => view.GetRowCursor(view.Schema));
    }

    [Fact]
    public void Schema_InputHasColumnsOfTheSameNames_HidesThemAndStillReadsThem()
    {
        var data = TextTable.Create(_ml, Rows);
        using var first = TextTable.Transformer(_ml, data);
        using var second = new FakeTextTransformer(_ml, TextTable.PairColumns, LabelValues.From(data.Schema["Label"]), new FakeScorer(3), []);
        var view = second.Transform(first.Transform(data));
        var hidden = view.Schema.Where(c => c.Name == "Score" && c.IsHidden).Single();
        var row = Read(view, [hidden, view.Schema["Score"]], null)[0];
        var body = TextTable.Row(0).Body;
        Assert.Contains(Spell(first.Scorer.Expected(new(body, null))), row);
        Assert.Contains(Spell(second.Scorer.Expected(new(body, TextTable.Row(0).Title))), row);
        var scored = first.Scorer.RowsScored;
        _ = view.GetColumn<uint>("PredictedLabel").Count();
        Assert.Equal(scored, first.Scorer.RowsScored);   // the hidden scorer is not run for nothing
    }

    [Fact]
    public void Getter_OfTheWrongType_NamesTheColumnAndItsType()
    {
        var data = TextTable.Create(_ml, 1);
        using var transformer = TextTable.Transformer(_ml, data);
        var view = transformer.Transform(data);
        using var cursor = view.GetRowCursor(view.Schema);
        var error = Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<float>(view.Schema["PredictedLabel"]));
        Assert.Contains("'PredictedLabel' holds System.UInt32", error.Message);
    }

    [Fact]
    public void OnnxConversion_ReachingTheView_SaysWhatToDoInstead()
    {
        var data = TextTable.Create(_ml, 1);
        using var transformer = TextTable.Transformer(_ml, data);
        // What ML.NET's converter does with the data a chain puts out: walk back through its transforms and ask each.
        var chain = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(transformer.Transform(data)).Transform(transformer.Transform(data));
        var source = ((Microsoft.ML.Data.IDataTransform)chain).Source;
        var view = Assert.IsAssignableFrom<Microsoft.ML.Model.OnnxConverter.ITransformCanSaveOnnx>(source);
        var error = Assert.Throws<NotSupportedException>(() => view.CanSaveOnnx(null!));
        Assert.Contains("ConvertToOnnx is not supported", error.Message);
        Assert.Contains("mlContext.Model.Save and score it with ML.NET in a .NET process", error.Message);
    }

    private static List<string> ReadThroughMapper(FakeTextTransformer transformer, IDataView data, DataViewSchema.Column[] active, int? shuffle)
    {
        var mapper = transformer.GetRowToRowMapper(data.Schema);
        using var cursor = data.GetRowCursor(mapper.GetDependencies(active), shuffle is { } seed ? new Random(seed) : null);
        var outputs = active.Select(c => mapper.OutputSchema[c.Index]).ToArray();
        using var row = mapper.GetRow(cursor, outputs);
        var read = Reader(row, outputs);
        var rows = new List<string>();
        while (cursor.MoveNext()) rows.Add(read());
        return rows;
    }

    private static List<string> Read(IDataView view, DataViewSchema.Column[] active, int? shuffle)
    {
        using var cursor = view.GetRowCursor(active, shuffle is { } seed ? new Random(seed) : null);
        var read = Reader(cursor, active);
        var rows = new List<string>();
        while (cursor.MoveNext()) rows.Add(read());
        return rows;
    }

    /// <summary>The row id and the active columns of the current row, spelled out.</summary>
    private static Func<string> Reader(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var id = row.GetIdGetter();
        var getters = columns.Select(c => (Func<string>)typeof(BatchedScoringViewTests)
            .GetMethod(nameof(ValueReader), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
            .MakeGenericMethod(c.Type.RawType).Invoke(null, [row, row.Schema[c.Index]])!).ToArray();
        return () =>
        {
            DataViewRowId value = default;
            id(ref value);
            return $"{value}|{string.Join('|', getters.Select(read => read()))}";
        };
    }

    private static Func<string> ValueReader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return value switch
            {
                VBuffer<float> v => Spell([.. v.DenseValues()]),
                VBuffer<uint> v => $"[{string.Join(' ', v.DenseValues())}]",
                VBuffer<ReadOnlyMemory<char>> v => $"[{string.Join(' ', v.DenseValues())}]",
                _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
            };
        };
    }

    private static string Spell(float[] values) => $"[{string.Join(' ', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))}]";
}

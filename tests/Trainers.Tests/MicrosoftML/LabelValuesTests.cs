using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

public class LabelValuesTests
{
    private readonly MLContext _ml = new(seed: 1);

    public static TheoryData<object[]> Values => [
        new object[] { "neg", "pos", "neutral, or so" },
        new object[] { 0.5f, -2f, 1e30f },
        new object[] { 0.5, -2.0, 1e300 },
        new object[] { 3, -1, int.MaxValue },
        new object[] { (byte)3, (byte)0 },
        new object[] { ulong.MaxValue, 1UL },
        new object[] { long.MinValue, 1L },
        new object[] { true, false },
        new object[] { new DateTime(2020, 2, 29), new DateTime(1999, 1, 1) },
        new object[] { TimeSpan.FromSeconds(1.5), TimeSpan.Zero },
        new object[] { new DateTimeOffset(2020, 2, 29, 1, 2, 3, TimeSpan.FromHours(2)), new DateTimeOffset(1999, 1, 1, 0, 0, 0, TimeSpan.Zero) },
    ];

    [Theory]
    [MemberData(nameof(Values))]
    public void SaveThenLoad_ValuesOfAnyType_AreTheSameClasses(object[] values)
    {
        var column = KeyColumn(values).Schema["Label"];
        var labels = LabelValues.From(column);
        using var stream = new MemoryStream();
        labels.Save(stream);
        stream.Position = 0;
        var loaded = LabelValues.Load(stream);

        Assert.Equal(values.Length, labels.Count);
        Assert.Equal(labels.ValueType, loaded.ValueType);
        Assert.Equal(Names(labels), Names(loaded));
        // and the loaded classes still recognise the column they came from
        Assert.Equal(Enumerable.Range(1, values.Length).Select(i => (uint)i), Map(loaded, KeyColumn(values), out _));
    }

    [Fact]
    public void From_KeyWithoutValues_CountsFromOne()
    {
        var labels = LabelValues.From(Counted(3).Schema["Label"]);
        Assert.Null(labels.ValueType);
        Assert.Equal(["1", "2", "3"], Names(labels));
        using var stream = new MemoryStream();
        labels.Save(stream);
        stream.Position = 0;
        Assert.Equal(["1", "2", "3"], Names(LabelValues.Load(stream)));
    }

    [Fact]
    public void FollowedBy_OtherOrderAndNewValues_KeepsItsOwnFirst()
    {
        var followed = Labels("b", "a").FollowedBy(Labels("c", "a", "d"), "Label");
        Assert.Equal(["b", "a", "c", "d"], Names(followed));
        Assert.True(followed.NumbersLike(Labels("b", "a", "c")));
        Assert.False(followed.NumbersLike(Labels("a", "b")));
    }

    [Fact]
    public void FollowedBy_NothingNew_IsItself()
    {
        var labels = Labels("b", "a");
        Assert.Same(labels, labels.FollowedBy(Labels("a"), "Label"));
    }

    [Fact]
    public void FollowedBy_NumbersOfAnotherType_GetItsOwn()
    {
        var followed = Labels(3, 1).FollowedBy(Labels(1f, 2f), "Label");
        Assert.Equal(NumberDataViewType.Int32, followed.ValueType);
        Assert.Equal(["3", "1", "2"], Names(followed));
        Assert.Equal(["0.5", "7"], Names(Labels(0.5).FollowedBy(Labels((byte)7), "Label")));
    }

    [Fact]
    public void FollowedBy_NumberItsTypeCannotHold_IsRefused()
    {
        var half = Assert.Throws<ArgumentException>(() => Labels(3, 1).FollowedBy(Labels(2.5f), "Kind"));
        Assert.Contains("Class '2.5' of column 'Kind' is no Int32", half.Message);
        Assert.Contains("Class '300' of column 'Kind' is no Byte", Assert.Throws<ArgumentException>(() => Labels((byte)3).FollowedBy(Labels(300), "Kind")).Message);
    }

    [Fact]
    public void FollowedBy_AnotherKind_IsRefused() => Assert.Contains(
        "The labels of column 'Kind' are numbers; the model's classes are text ('a')",
        Assert.Throws<ArgumentException>(() => Labels("a").FollowedBy(Labels(1), "Kind")).Message);

    [Fact]
    public void FollowedBy_WithoutNames_CountsOn()
    {
        var three = LabelValues.From(Counted(3).Schema["Label"]);
        Assert.Equal(["1", "2", "3", "4", "5"], Names(three.FollowedBy(LabelValues.From(Counted(5).Schema["Label"]), "Label")));
        Assert.Equal(["1", "2", "3", "4", "5"], Names(three.FollowedBy(Labels(5f, 2f, 4f), "Label")));
        Assert.Contains("further ones are 4, 5", Assert.Throws<ArgumentException>(() => three.FollowedBy(Labels(9), "Label")).Message);
    }

    [Fact]
    public void From_NotAKey_SaysToMapIt()
    {
        var error = Assert.Throws<ArgumentException>(() => LabelValues.From(TextTable.Create(_ml, 1).Schema["Title"]));
        Assert.Contains("Column 'Title' holds Text", error.Message);
        Assert.Contains("MapValueToKey(\"Title\")", error.Message);
    }

    [Fact]
    public void From_KeyOverFourBillion_IsRefusedBeforeAllocating()
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Label", new KeyDataViewType(typeof(uint), uint.MaxValue));
        var error = Assert.Throws<ArgumentException>(() => LabelValues.From(builder.ToSchema()["Label"]));
        Assert.Contains("4,294,967,295", error.Message);
    }

    [Fact]
    public void Load_AnyByteChangedOrCutOff_IsInvalidDataOrOtherValuesNothingElse()
    {
        using var stream = new MemoryStream();
        LabelValues.From(KeyColumn(["negative", "neutral", "positive"]).Schema["Label"]).Save(stream);
        var bytes = stream.ToArray();
        var refused = 0;
        for (var i = 0; i < bytes.Length; i++)
            foreach (var value in new byte[] { 0, 1, 0x7F, 0x80, 0xFF })
            {
                var changed = bytes.ToArray();
                changed[i] = value;
                if (!Loads(changed)) refused++;
            }
        for (var length = 0; length < bytes.Length; length++) Assert.False(Loads(bytes[..length]), $"{length} bytes of {bytes.Length}");
        Assert.True(refused > 20, $"only {refused} changes were noticed");

        bool Loads(byte[] content)
        {
            try
            {
                Assert.InRange(LabelValues.Load(new MemoryStream(content)).Count, 1, LabelValues.MaxCount);
                return true;
            }
            catch (InvalidDataException)
            {
                return false;
            }
        }
    }

    [Fact]
    public void MapFrom_KeysInAnotherOrder_MatchesByValue()
    {
        var training = LabelValues.From(KeyColumn(["neg", "neutral", "pos"]).Schema["Label"]);
        var validation = KeyColumn(["pos", "neg", "pos", "neutral"]);   // its own keys: pos 1, neg 2, neutral 3
        Assert.Equal([1u, 2u, 1u, 3u], validation.GetColumn<uint>("Label"));
        Assert.Equal([3u, 1u, 3u, 2u], Map(training, validation, out _));
    }

    [Fact]
    public void MapFrom_UnseenAndMissing_AreZeroAndCountedApart()
    {
        var training = LabelValues.From(KeyColumn(["neg", "pos"]).Schema["Label"]);
        var raw = _ml.Data.LoadFromEnumerable(new[] { "pos", "", "mixed", "neg", "mixed", "odd" }.Select(l => new { Label = l }));
        var mapped = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(raw).Transform(raw);
        foreach (var data in new[] { raw, mapped })
        {
            Assert.Equal([2u, 0u, 0u, 1u, 0u, 0u], Map(training, data, out var mapping));
            Assert.Equal(1, mapping.MissingRows);
            Assert.Equal(3, mapping.UnseenRows);
            Assert.Equal(["mixed", "odd"], mapping.UnseenValues);
        }
    }

    [Fact]
    public void MapFrom_UnseenValueThatNoRowCarries_IsNotReported()
    {
        var training = LabelValues.From(KeyColumn(["neg", "pos"]).Schema["Label"]);
        var filtered = _ml.Data.TakeRows(KeyColumn(["pos", "mixed"]), 1);
        Assert.Equal([2u], Map(training, filtered, out var mapping));
        Assert.Empty(mapping.UnseenValues);
    }

    [Fact]
    public void MapFrom_ManyUnseenValues_ListsTwenty()
    {
        var training = LabelValues.From(KeyColumn(["neg", "pos"]).Schema["Label"]);
        var raw = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 1000).Select(i => new { Label = $"other {i}" }));
        Map(training, raw, out var mapping);
        Assert.Equal(1000, mapping.UnseenRows);
        Assert.Equal(20, mapping.UnseenValues.Count);
    }

    [Fact]
    public void MapFrom_NumbersOfAnotherType_AreComparedAsNumbers()
    {
        var integers = LabelValues.From(KeyColumn([1, 2, 40]).Schema["Label"]);
        Assert.Equal([3u, 1u, 0u, 0u], Map(integers, _ml.Data.LoadFromEnumerable(new[] { new { Label = 40f }, new { Label = 1f }, new { Label = 1.5f }, new { Label = float.NaN } }), out var mapping));
        Assert.Equal(1, mapping.MissingRows);
        Assert.Equal(["1.5"], mapping.UnseenValues);
        var floats = LabelValues.From(KeyColumn([1f, 0.5f]).Schema["Label"]);
        Assert.Equal([2u, 1u], Map(floats, _ml.Data.LoadFromEnumerable(new[] { new { Label = 0.5 }, new { Label = 1.0 } }), out _));
    }

    [Fact]
    public void MapFrom_Booleans_MatchRawAndKeyed()
    {
        var labels = LabelValues.From(KeyColumn([true, false]).Schema["Label"]);
        Assert.Equal([2u, 1u], Map(labels, _ml.Data.LoadFromEnumerable(new[] { new { Label = false }, new { Label = true } }), out _));
        Assert.Equal([2u, 1u], Map(labels, KeyColumn([false, true]), out _));
    }

    [Fact]
    public void MapFrom_KeysWithoutValuesOnBothSides_AreTheSameNumbers()
    {
        var labels = LabelValues.From(Counted(3).Schema["Label"]);
        Assert.Equal([1u, 2u, 3u, 0u], Map(labels, Counted(4), out var mapping));
        Assert.Equal(["4"], mapping.UnseenValues);
    }

    [Fact]
    public void MapFrom_ByteKeys_AreReadAsKeys()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new ByteKey { Label = 1 }, new ByteKey { Label = 200 }, new ByteKey { Label = 0 } });
        Assert.Equal([2u, 0u, 1u], Map(LabelValues.From(data.Schema["Label"]), data, out var mapping));
        Assert.Equal(1, mapping.MissingRows);
    }

    [Fact]
    public void MapFrom_AnotherKindOfValue_SaysBothKinds()
    {
        var labels = LabelValues.From(KeyColumn(["neg", "pos"]).Schema["Label"]);
        var error = Assert.Throws<ArgumentException>(() => labels.MapFrom(KeyColumn([1, 2]).Schema["Label"]));
        Assert.Contains("column 'Label' are numbers; the model's classes are text ('neg', 'pos')", error.Message);
    }

    [Fact]
    public void MapFrom_Vector_IsRefused()
    {
        var labels = LabelValues.From(KeyColumn(["neg", "pos"]).Schema["Label"]);
        var error = Assert.Throws<ArgumentException>(() => labels.MapFrom(TextTable.Create(_ml, 1).Schema["Tags"]));
        Assert.Contains("Column 'Tags' holds Vector<Text>", error.Message);
    }

    // In memory, ML.NET's key fields count from 0 and whatever is out of range is a missing key.
    private sealed class ByteKey
    {
        [KeyType(3)] public byte Label { get; set; }
    }

    private sealed class CountedKey
    {
        [KeyType(1000)] public uint Label { get; set; }
    }

    private static List<string> Names(LabelValues labels) => [.. Enumerable.Range(0, labels.Count).Select(labels.Name)];

    private static List<uint> Map(LabelValues labels, IDataView data, out LabelMapping mapping)
    {
        mapping = labels.MapFrom(data.Schema["Label"]);
        using var cursor = data.GetRowCursor([data.Schema["Label"]]);
        var getter = mapping.CreateGetter(cursor);
        var keys = new List<uint>();
        while (cursor.MoveNext())
        {
            uint key = 99;
            getter(ref key);
            keys.Add(key);
        }
        return keys;
    }

    /// <summary>A key column without values, holding 1 to <paramref name="count"/>.</summary>
    private IDataView Counted(int count)
    {
        var definition = SchemaDefinition.Create(typeof(CountedKey));
        definition["Label"].ColumnType = new KeyDataViewType(typeof(uint), count);
        return _ml.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(i => new CountedKey { Label = (uint)i }), definition);
    }

    /// <summary>A column of these values, mapped to keys in order of appearance.</summary>
    private IDataView KeyColumn(object[] values)
    {
        var raw = (IDataView)typeof(LabelValuesTests).GetMethod(nameof(RawColumn), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
            .MakeGenericMethod(values[0].GetType()).Invoke(null, [_ml, values])!;
        return _ml.Transforms.Conversion.MapValueToKey("Label").Fit(raw).Transform(raw);
    }

    private sealed class Value<T>
    {
        public T Label { get; set; } = default!;
    }

    private static IDataView RawColumn<T>(MLContext ml, object[] values) =>
        ml.Data.LoadFromEnumerable(values.Select(v => new Value<T> { Label = (T)v }).ToArray());

    private LabelValues Labels<T>(params T[] values) where T : notnull => LabelValues.From(KeyColumn([.. values.Cast<object>()]).Schema["Label"]);
}

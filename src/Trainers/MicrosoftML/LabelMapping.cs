using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>Reads a label column as keys of a known set of classes, matched by value, and remembers the values it could not match.</summary>
/// <remarks>
/// A validation set mapped to keys by itself numbers its labels in its own order of appearance; keys are therefore never compared as
/// numbers. Values that no row carries are not counted as unseen. One getter at a time: not thread-safe.
/// </remarks>
internal abstract class LabelMapping
{
    private const int MaxListed = 20;
    private readonly List<string> _unseen = [];

    /// <summary>Rows read so far whose label has a value that is none of the classes.</summary>
    public long UnseenRows { get; private set; }

    /// <summary>Rows read so far without a label (missing key, empty text, NaN).</summary>
    public long MissingRows { get; private set; }

    /// <summary>The distinct unseen values in order of appearance; the first 20 of them.</summary>
    public IReadOnlyList<string> UnseenValues => _unseen;

    /// <summary>A getter of the row's key: 1 to the number of classes; 0 when the label is missing or unseen.</summary>
    /// <param name="row">A row or cursor in which the label column is active.</param>
    public abstract ValueGetter<uint> CreateGetter(DataViewRow row);

    internal static LabelMapping Create(LabelValues labels, DataViewSchema.Column column)
    {
        if (column.Type is VectorDataViewType)
            throw new ArgumentException($"Column '{column.Name}' holds {ColumnCheck.Describe(column.Type)}; a label is one value a row.");
        var (definition, values) = column.Type is KeyDataViewType
            ? (typeof(KeyLabelMapping<>), LabelValues.From(column))
            : (typeof(RawLabelMapping<>), null);

        CheckKind(labels, values is null ? column.Type.RawType : values.ValueType?.RawType, column.Name);

        object?[] arguments = values is null ? [column, labels] : [column, labels, values];
        return (LabelMapping)Activator.CreateInstance(definition.MakeGenericType(column.Type.RawType),
            BindingFlags.Instance | BindingFlags.Public | BindingFlags.DoNotWrapExceptions, null, arguments, null)!;
    }

    /// <summary>Refuses values that can never equal those of the classes.</summary>
    /// <param name="labels">The classes.</param>
    /// <param name="values">Type of a column's values; null for a key column without any.</param>
    /// <param name="columnName">That column.</param>
    /// <exception cref="ArgumentException">Another kind of value.</exception>
    internal static void CheckKind(LabelValues labels, Type? values, string columnName)
    {
        var theirs = values ?? typeof(uint);
        var ours = labels.ValueType?.RawType ?? typeof(uint);
        if (LabelIdentity.KindOf(theirs) != LabelIdentity.KindOf(ours))
            throw new ArgumentException($"The labels of column '{columnName}' are {LabelIdentity.KindOf(theirs)}; the model's classes are "
                + $"{LabelIdentity.KindOf(ours)} ({Sample(labels)}). Give the column the values the training labels had.");
    }

    private protected uint CountMissing()
    {
        MissingRows++;
        return 0;
    }

    private protected uint CountUnseen(string name)
    {
        UnseenRows++;
        if (_unseen.Count < MaxListed && !_unseen.Contains(name)) _unseen.Add(name);
        return 0;
    }

    private protected static Dictionary<object, uint> KeysByIdentity(LabelValues labels)
    {
        var keys = new Dictionary<object, uint>(labels.Count);
        for (var i = 0; i < labels.Count; i++)
            if (labels.Identity(i) is { } identity) keys.TryAdd(identity, (uint)i + 1);
        return keys;
    }

    private static string Sample(LabelValues labels) =>
        string.Join(", ", Enumerable.Range(0, Math.Min(labels.Count, 5)).Select(i => $"'{labels.Name(i)}'")) + (labels.Count > 5 ? ", …" : "");
}

/// <summary>From a key column: its own values are looked up once, then rows are a table look-up.</summary>
internal sealed class KeyLabelMapping<TKey> : LabelMapping where TKey : struct
{
    private readonly DataViewSchema.Column _column;
    private readonly LabelValues _theirs;
    private readonly uint[] _keys;   // [their key - 1] → our key, 0 = unseen

    public KeyLabelMapping(DataViewSchema.Column column, LabelValues ours, LabelValues theirs)
    {
        _column = column;
        _theirs = theirs;
        var byIdentity = KeysByIdentity(ours);
        _keys = new uint[theirs.Count];
        for (var i = 0; i < _keys.Length; i++)
            if (theirs.Identity(i) is { } identity && byIdentity.TryGetValue(identity, out var key)) _keys[i] = key;
    }

    public override ValueGetter<uint> CreateGetter(DataViewRow row)
    {
        var getter = row.GetGetter<TKey>(row.Schema[_column.Index]);
        return (ref uint key) =>
        {
            TKey raw = default;
            getter(ref raw);
            var theirKey = Convert.ToUInt64(raw, null);
            // A key beyond its type's count is missing too: ML.NET's rule for keys out of range.
            if (theirKey == 0 || theirKey > (ulong)_keys.Length) key = CountMissing();
            else if (_keys[theirKey - 1] is 0) key = CountUnseen(_theirs.Name((int)theirKey - 1));
            else key = _keys[theirKey - 1];
        };
    }
}

/// <summary>From a column of plain values: text, numbers, bools, dates.</summary>
internal sealed class RawLabelMapping<T>(DataViewSchema.Column column, LabelValues ours) : LabelMapping
{
    private readonly Dictionary<object, uint> _keys = KeysByIdentity(ours);

    public override ValueGetter<uint> CreateGetter(DataViewRow row)
    {
        var getter = row.GetGetter<T>(row.Schema[column.Index]);
        T? value = default;
        return (ref uint key) =>
        {
            getter(ref value!);
            if (LabelIdentity.Of(value) is not { } identity) key = CountMissing();
            else if (!_keys.TryGetValue(identity, out key)) key = CountUnseen(LabelIdentity.Spell(value));
        };
    }
}

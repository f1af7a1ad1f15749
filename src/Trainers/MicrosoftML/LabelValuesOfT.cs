using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>Classes with values: what MapValueToKey leaves in the KeyValues annotation.</summary>
internal sealed class LabelValues<T> : LabelValues
{
    private readonly VectorDataViewType _type;
    private readonly T[] _values;

    /// <summary>The values in a key column's annotation of type <paramref name="type"/>.</summary>
    public LabelValues(VectorDataViewType type, DataViewSchema.Column column) : this(type, Read(column)) { }

    /// <summary>These values; the array is the instance's own from here on.</summary>
    public LabelValues(VectorDataViewType type, T[] values) : base(type.Size)
    {
        if (values.Length != type.Size) throw new ArgumentException($"There are {values.Length:N0} label values for {type.Size:N0} classes.", nameof(values));
        _type = type;
        _values = values;
    }

    public override DataViewType ValueType => _type.ItemType;

    public override string Name(int index) => LabelIdentity.Spell(_values[index]);

    internal override object? Identity(int index) => LabelIdentity.Of(_values[index]);

    public override void Annotate(DataViewSchema.Annotations.Builder annotations, string kind) =>
        annotations.Add(kind, _type, (ref VBuffer<T> destination) => CopyTo(ref destination));

    public override Delegate CreateGetter(Func<uint> key) => (ValueGetter<T>)((ref T value) => value = key() is > 0 and var known ? _values[known - 1] : Missing);

    // What MapKeyToValue gives for a missing key.
    private static T Missing => typeof(T) == typeof(float) ? (T)(object)float.NaN : typeof(T) == typeof(double) ? (T)(object)double.NaN : default!;

    private protected override void SaveValues(BinaryWriter writer) => LabelValuesCodec.Write(writer, _values);

    private protected override LabelValues Append(IReadOnlyList<object> identities, string columnName) => new LabelValues<T>(
        new VectorDataViewType((PrimitiveDataViewType)_type.ItemType, Count + identities.Count), [.. _values, .. identities.Select(identity => Of(identity, columnName))]);

    // Only numbers have an identity of another type than the value, besides text.
    private static T Of(object identity, string columnName)
    {
        try
        {
            var value = identity switch
            {
                T same => same,
                string text => (T)(object)text.AsMemory(),
                _ => (T)Convert.ChangeType(identity, typeof(T), CultureInfo.InvariantCulture),
            };
            if (identity.Equals(LabelIdentity.Of(value))) return value;
        }
        catch (Exception e) when (e is OverflowException or InvalidCastException)
        {
            // Said below.
        }
        throw new ArgumentException(
            $"Class '{LabelIdentity.Spell(identity)}' of column '{columnName}' is no {typeof(T).Name}, which the model's classes are. "
            + "Give the column the type that the model's labels had.");
    }

    private void CopyTo(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, _values.Length);
        _values.CopyTo(editor.Values);
        destination = editor.Commit();
    }

    private static T[] Read(DataViewSchema.Column column)
    {
        VBuffer<T> values = default;
        column.Annotations.GetValue(AnnotationUtils.Kinds.KeyValues, ref values);
        return [.. values.DenseValues()];
    }
}

/// <summary>Classes of a key column without values: 1, 2, … up to the count.</summary>
internal sealed class CountedLabelValues(int count) : LabelValues(count)
{
    public override DataViewType? ValueType => null;

    public override string Name(int index) => (index + 1).ToString(CultureInfo.InvariantCulture);

    internal override object? Identity(int index) => LabelIdentity.Of(index + 1);

    public override void Annotate(DataViewSchema.Annotations.Builder annotations, string kind) { }

    public override Delegate CreateGetter(Func<uint> key) => throw new InvalidOperationException("These classes are known by number alone.");

    // Nothing can name these classes but their place, so what comes after the last one is the next.
    private protected override LabelValues Append(IReadOnlyList<object> identities, string columnName)
    {
        var wanted = Enumerable.Range(Count + 1, identities.Count).Select(number => LabelIdentity.Of(number)).ToHashSet();
        if (identities.FirstOrDefault(identity => !wanted.Contains(identity)) is { } other)
            throw new ArgumentException(
                $"Class '{LabelIdentity.Spell(other)}' of column '{columnName}' cannot follow the model's classes, which have no names and count 1 to {Count}; "
                + $"further ones are {Count + 1}, {Count + 2}, and so on.");
        return new CountedLabelValues(Count + identities.Count);
    }

    private protected override void SaveValues(BinaryWriter writer) => writer.Write(Count);
}

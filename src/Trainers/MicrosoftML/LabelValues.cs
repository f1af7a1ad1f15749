using System.Reflection;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>The classes of a classifier, as the key column it was trained on knows them: class i has key i + 1 and a value of any type.</summary>
/// <remarks>Immutable. Values are text, numbers, bools, dates or whatever MapValueToKey was given; a key column without values counts 1, 2, ….</remarks>
internal abstract class LabelValues
{
    /// <summary>More classes than this are a mistake in the data (a key over row numbers, say) or in the file.</summary>
    public const int MaxCount = 1 << 20;

    protected LabelValues(int count) => Count = count;

    /// <summary>Number of classes.</summary>
    /// <value>1 to <see cref="MaxCount"/>.</value>
    public int Count { get; }

    /// <summary>Type of the values; null when the key column had none.</summary>
    public abstract DataViewType? ValueType { get; }

    /// <summary>The value of class <paramref name="index"/> (from 0) for people, in invariant spelling.</summary>
    public abstract string Name(int index);

    /// <summary>What makes the value of class <paramref name="index"/> (from 0) equal to another; null for a missing value.</summary>
    internal abstract object? Identity(int index);

    /// <summary>Adds the values under an annotation kind such as KeyValues; adds nothing when there are none.</summary>
    public abstract void Annotate(DataViewSchema.Annotations.Builder annotations, string kind);

    /// <summary>A <see cref="ValueGetter{TValue}"/> of the values' raw type over a key that changes; a missing key gives a missing value.</summary>
    /// <param name="key">The current key: from 1; 0 is missing.</param>
    /// <exception cref="InvalidOperationException">There are no values.</exception>
    public abstract Delegate CreateGetter(Func<uint> key);

    private protected abstract void SaveValues(BinaryWriter writer);

    /// <summary>Reads the classes of a key column.</summary>
    /// <exception cref="ArgumentException">Not a key, or more than <see cref="MaxCount"/> classes.</exception>
    public static LabelValues From(DataViewSchema.Column column)
    {
        if (column.Type is not KeyDataViewType key)
            throw new ArgumentException($"Column '{column.Name}' holds {ColumnCheck.Describe(column.Type)}; classes are read from a key. "
                + $"Append mlContext.Transforms.Conversion.MapValueToKey(\"{column.Name}\").");
        if (key.Count > MaxCount)
            throw new ArgumentException($"Column '{column.Name}' is a key over {key.Count:N0} values; at most {MaxCount:N0} classes are supported. "
                + $"Map the label with mlContext.Transforms.Conversion.MapValueToKey(\"{column.Name}\").");
        var count = (int)key.Count;
        var annotated = column.Annotations.Schema.GetColumnOrNull(AnnotationUtils.Kinds.KeyValues)?.Type;
        return annotated is VectorDataViewType values && values.Size == count
            ? (LabelValues)Activator.CreateInstance(typeof(LabelValues<>).MakeGenericType(values.ItemType.RawType),
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.DoNotWrapExceptions, null, [values, column], null)!
            : new CountedLabelValues(count);
    }

    /// <summary>How to turn another column's labels into keys of these classes, by value: the column may be a key that numbers them otherwise, or raw.</summary>
    /// <exception cref="ArgumentException">The column's values can never equal these: another kind of value, or a vector.</exception>
    public LabelMapping MapFrom(DataViewSchema.Column column) => LabelMapping.Create(this, column);

    /// <summary>These classes, followed by those of others that are not among them; the new ones get the type of these.</summary>
    /// <param name="others">The classes of another key column.</param>
    /// <param name="columnName">That column, for errors.</param>
    /// <exception cref="ArgumentException">Another kind of value, a value that the type of these cannot hold, or more than <see cref="MaxCount"/> classes.</exception>
    public LabelValues FollowedBy(LabelValues others, string columnName)
    {
        LabelMapping.CheckKind(this, others.ValueType?.RawType, columnName);
        var known = Enumerable.Range(0, Count).Select(Identity).ToHashSet();
        var added = Enumerable.Range(0, others.Count).Select(others.Identity).OfType<object>().Where(known.Add).ToList();
        if (Count + added.Count > MaxCount)
            throw new ArgumentException($"Column '{columnName}' adds {added.Count:N0} classes to {Count:N0}; at most {MaxCount:N0} are supported.");
        return added.Count == 0 ? this : Append(added, columnName);
    }

    /// <summary>Whether each of another column's classes has the same number here.</summary>
    public bool NumbersLike(LabelValues others) =>
        others.Count <= Count && Enumerable.Range(0, others.Count).All(i => Equals(Identity(i), others.Identity(i)));

    private protected abstract LabelValues Append(IReadOnlyList<object> identities, string columnName);

    /// <summary>Writes the classes.</summary>
    /// <exception cref="NotSupportedException">Values of a type that only lives in memory.</exception>
    public void Save(Stream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(ValueType is not null);
        SaveValues(writer);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="stream">Seekable, and trusted with nothing: counts are held against its length before anything is allocated.</param>
    /// <exception cref="InvalidDataException">Cut off, damaged, or written by something else.</exception>
    public static LabelValues Load(Stream stream)
    {
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        try
        {
            if (reader.ReadBoolean()) return LabelValuesCodec.Read(reader);
            var count = reader.ReadInt32();
            if (count is < 1 or > MaxCount) throw new InvalidDataException($"The model's label values are damaged: {count:N0} classes; wanted 1 to {MaxCount:N0}.");
            return new CountedLabelValues(count);
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException or FormatException)
        {
            throw new InvalidDataException("The model's label values are cut off or damaged; save the model again.", e);
        }
    }
}

using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>One input column's values for the rows a cursor has read ahead, each owned by this buffer.</summary>
/// <remarks>What an input cursor hands out is only valid until it moves on, so vectors and text are copied in, and copied out again.</remarks>
internal abstract class ReadAheadColumn
{
    /// <summary>Copies the value of the input's current row into a slot.</summary>
    public abstract void Read(int slot);

    /// <summary>A <see cref="ValueGetter{TValue}"/> of the column's raw type that copies out of the slot current when it is called.</summary>
    public abstract Delegate CreateGetter(Func<int> currentSlot);

    /// <summary>A buffer for a column of any type.</summary>
    public static ReadAheadColumn Create(DataViewRow input, DataViewSchema.Column column, int slots)
    {
        var raw = column.Type.RawType;
        var type = raw == typeof(ReadOnlyMemory<char>) ? typeof(TextReadAhead)
            : raw == typeof(VBuffer<ReadOnlyMemory<char>>) ? typeof(TextVectorReadAhead)
            : raw.IsGenericType && raw.GetGenericTypeDefinition() == typeof(VBuffer<>) ? typeof(VectorReadAhead<>).MakeGenericType(raw.GetGenericArguments())
            : typeof(ValueReadAhead<>).MakeGenericType(raw);
        return (ReadAheadColumn)Activator.CreateInstance(type,
            BindingFlags.Instance | BindingFlags.Public | BindingFlags.DoNotWrapExceptions, null, [input, column, slots], null)!;
    }

    /// <summary>Text that outlives the input row: a slice of a string is immutable and kept, anything else is copied.</summary>
    private protected static ReadOnlyMemory<char> Own(ReadOnlyMemory<char> text) =>
        MemoryMarshal.TryGetString(text, out _, out _, out _) ? text : text.ToString().AsMemory();
}

/// <summary>Numbers, keys, bools, dates, and objects of custom types.</summary>
internal sealed class ValueReadAhead<T>(DataViewRow input, DataViewSchema.Column column, int slots) : ReadAheadColumn
{
    private readonly ValueGetter<T> _input = input.GetGetter<T>(column);
    private readonly T[] _values = new T[slots];

    public override void Read(int slot)
    {
        // An empty slot: a getter of objects may dispose what it finds, and the last object was handed to a consumer.
        _values[slot] = default!;
        _input(ref _values[slot]);
    }

    public override Delegate CreateGetter(Func<int> currentSlot) => (ValueGetter<T>)((ref T value) => value = _values[currentSlot()]);
}

/// <summary>Text.</summary>
internal sealed class TextReadAhead(DataViewRow input, DataViewSchema.Column column, int slots) : ReadAheadColumn
{
    private readonly ValueGetter<ReadOnlyMemory<char>> _input = input.GetGetter<ReadOnlyMemory<char>>(column);
    private readonly ReadOnlyMemory<char>[] _values = new ReadOnlyMemory<char>[slots];

    public override void Read(int slot)
    {
        ReadOnlyMemory<char> text = default;
        _input(ref text);
        _values[slot] = Own(text);
    }

    public override Delegate CreateGetter(Func<int> currentSlot) =>
        (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = _values[currentSlot()]);
}

/// <summary>Vectors of anything but text.</summary>
internal sealed class VectorReadAhead<T>(DataViewRow input, DataViewSchema.Column column, int slots) : ReadAheadColumn
{
    private readonly ValueGetter<VBuffer<T>> _input = input.GetGetter<VBuffer<T>>(column);
    private readonly VBuffer<T>[] _values = new VBuffer<T>[slots];

    public override void Read(int slot) => _input(ref _values[slot]);

    public override Delegate CreateGetter(Func<int> currentSlot) =>
        (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => _values[currentSlot()].CopyTo(ref value));
}

/// <summary>Vectors of text: the vector and each of its texts.</summary>
internal sealed class TextVectorReadAhead(DataViewRow input, DataViewSchema.Column column, int slots) : ReadAheadColumn
{
    private readonly ValueGetter<VBuffer<ReadOnlyMemory<char>>> _input = input.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
    private readonly VBuffer<ReadOnlyMemory<char>>[] _values = new VBuffer<ReadOnlyMemory<char>>[slots];

    public override void Read(int slot)
    {
        _input(ref _values[slot]);
        var editor = VBufferEditor.CreateFromBuffer(ref _values[slot]);
        foreach (ref var text in editor.Values) text = Own(text);
        _values[slot] = editor.Commit();
    }

    public override Delegate CreateGetter(Func<int> currentSlot) =>
        (ValueGetter<VBuffer<ReadOnlyMemory<char>>>)((ref VBuffer<ReadOnlyMemory<char>> value) => _values[currentSlot()].CopyTo(ref value));
}

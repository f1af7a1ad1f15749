using Microsoft.ML;

namespace MLNetLoRA.Trainers;

/// <summary>Reads the text columns of the current row of an input into a <see cref="TextRow"/>.</summary>
internal sealed class TextRowReader
{
    private readonly ValueGetter<ReadOnlyMemory<char>> _first;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _second;

    /// <param name="input">A row in which the bound text columns are active.</param>
    /// <param name="sentence1">The sentence, or the first of a pair.</param>
    /// <param name="sentence2">The second of a pair; null for single sentences.</param>
    public TextRowReader(DataViewRow input, DataViewSchema.Column sentence1, DataViewSchema.Column? sentence2)
    {
        _first = input.GetGetter<ReadOnlyMemory<char>>(input.Schema[sentence1.Index]);
        if (sentence2 is { } second) _second = input.GetGetter<ReadOnlyMemory<char>>(input.Schema[second.Index]);
    }

    /// <summary>The current row's text, in strings of its own.</summary>
    public TextRow Read()
    {
        ReadOnlyMemory<char> first = default, second = default;
        _first(ref first);
        _second?.Invoke(ref second);
        return new TextRow(first.ToString(), _second is null ? null : second.ToString());
    }
}

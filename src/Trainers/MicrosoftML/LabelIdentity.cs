using System.Globalization;

namespace MLNetLoRA.Trainers;

/// <summary>When two label values of possibly different types are the same label.</summary>
internal static class LabelIdentity
{
    /// <summary>A value to compare by <see cref="object.Equals(object)"/>: integers equal whole numbers of any numeric type, text compares ordinally.</summary>
    /// <returns>Null for what ML.NET treats as missing when it maps values to keys: empty text and NaN.</returns>
    public static object? Of<T>(T value) => value switch
    {
        ReadOnlyMemory<char> text => text.IsEmpty ? null : text.ToString(),
        float number => OfReal(number),
        double number => OfReal(number),
        byte or sbyte or short or ushort or int or uint or long or ulong => Convert.ToDecimal(value, CultureInfo.InvariantCulture),
        _ => value,
    };

    /// <summary>The kind of value behind an identity: values of different kinds are never equal.</summary>
    public static string KindOf(Type type) =>
        type == typeof(ReadOnlyMemory<char>) ? "text"
        : type == typeof(bool) ? "true or false"
        : type.IsPrimitive ? "numbers"
        : type.Name;

    /// <summary>The value for people and logs, the same in every culture.</summary>
    public static string Spell<T>(T value) => value switch
    {
        ReadOnlyMemory<char> text => text.ToString(),
        DateTime date => date.ToString("O", CultureInfo.InvariantCulture),
        DateTimeOffset date => date.ToString("O", CultureInfo.InvariantCulture),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value?.ToString() ?? "",
    };

    private static object? OfReal(double number)
    {
        const double ExactIntegers = 1L << 53;
        if (double.IsNaN(number)) return null;
        return number == Math.Truncate(number) && Math.Abs(number) <= ExactIntegers ? (decimal)number : number;
    }
}

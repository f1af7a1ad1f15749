using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The element types of the safetensors format that libtorch has too.</summary>
internal static class SafetensorsDataType
{
    // From the widest to the narrowest, in the order in which the reference writer lays tensors out:
    // wide types first keep every tensor aligned without holes.
    private static readonly (ScalarType Type, string Name, int Size)[] Known =
    [
        (ScalarType.Int64, "I64", 8),
        (ScalarType.Float64, "F64", 8),
        (ScalarType.Float32, "F32", 4),
        (ScalarType.Int32, "I32", 4),
        (ScalarType.BFloat16, "BF16", 2),
        (ScalarType.Float16, "F16", 2),
        (ScalarType.Int16, "I16", 2),
        (ScalarType.Int8, "I8", 1),
        (ScalarType.Byte, "U8", 1),
        (ScalarType.Bool, "BOOL", 1),
    ];

    /// <summary>All names, for messages.</summary>
    public static string Names { get; } = string.Join(", ", Known.Select(known => known.Name));

    public static ScalarType? Parse(string name)
    {
        var index = Array.FindIndex(Known, known => known.Name == name);
        return index < 0 ? null : Known[index].Type;
    }

    public static bool IsKnown(ScalarType type) => Array.Exists(Known, known => known.Type == type);

    public static string NameOf(ScalarType type) => Known[LayoutRank(type)].Name;

    /// <summary>Bytes per element.</summary>
    public static int SizeOf(ScalarType type) => Known[LayoutRank(type)].Size;

    /// <summary>The position of the type in the file: tensors of lower rank come first.</summary>
    public static int LayoutRank(ScalarType type)
    {
        var index = Array.FindIndex(Known, known => known.Type == type);
        return index >= 0 ? index : throw new ArgumentException($"{type} has no safetensors element type; known are {Names}.", nameof(type));
    }
}

using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Where one tensor lies in a safetensors file. Immutable; the ranges were checked when the file was opened.</summary>
/// <param name="Name">The tensor's name, as the file spells it.</param>
/// <param name="DataType">The element type as stored.</param>
/// <param name="Shape">The size of each dimension, 0 or more; empty for a scalar. Records compare it by reference.</param>
/// <param name="Offset">Bytes from the start of the file's data section (not of the file).</param>
/// <param name="ByteCount">Bytes of data: the product of <paramref name="Shape"/> times the element size.</param>
public sealed record SafetensorsEntry(string Name, ScalarType DataType, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>The number of elements: the product of <see cref="Shape"/>, 1 for a scalar.</summary>
    public long ElementCount => ByteCount / SafetensorsDataType.SizeOf(DataType);

    /// <summary>The shape as messages show it, for example <c>(50265, 768)</c>.</summary>
    public string ShapeText => $"({string.Join(", ", Shape)})";
}

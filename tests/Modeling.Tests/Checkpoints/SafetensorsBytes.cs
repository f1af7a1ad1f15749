using System.Buffers.Binary;
using System.Text;

namespace MLNetLoRA.Modeling.Tests;

/// <summary>Safetensors files made by hand, so that they can be wrong in one chosen way.</summary>
internal static class SafetensorsBytes
{
    public static byte[] Of(string header, params byte[] data) => Of(Encoding.UTF8.GetBytes(header), data);

    public static byte[] Of(byte[] header, byte[] data) => WithLength((ulong)header.Length, header, data);

    public static byte[] WithLength(ulong length, byte[] header, byte[] data)
    {
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        return [.. prefix, .. header, .. data];
    }

    public static SafetensorsFile Open(byte[] bytes) => SafetensorsFile.Open(new MemoryStream(bytes), "hand.safetensors");
}

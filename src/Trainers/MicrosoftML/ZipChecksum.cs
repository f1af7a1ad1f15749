using System.Buffers.Binary;

namespace MLNetLoRA.Trainers;

/// <summary>The CRC-32 of zip files (ISO 3309, polynomial 0xEDB88320), which .NET's reader stores but does not check.</summary>
internal static class ZipChecksum
{
    // Slicing by eight: table k holds the effect of a byte followed by k zero bytes, so eight look-ups take in eight bytes.
    private static readonly uint[][] Tables = CreateTables();

    /// <summary>The checksum of a stream from its current position to its end.</summary>
    public static uint Of(Stream stream)
    {
        var buffer = new byte[1 << 20];
        var crc = uint.MaxValue;
        int read;
        while ((read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0)
            crc = Append(crc, buffer.AsSpan(0, read));
        return ~crc;
    }

    private static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        var t = Tables;
        for (; data.Length >= 8; data = data[8..])
        {
            var low = BinaryPrimitives.ReadUInt32LittleEndian(data) ^ crc;
            var high = BinaryPrimitives.ReadUInt32LittleEndian(data[4..]);
            crc = t[7][low & 0xFF] ^ t[6][low >> 8 & 0xFF] ^ t[5][low >> 16 & 0xFF] ^ t[4][low >> 24]
                ^ t[3][high & 0xFF] ^ t[2][high >> 8 & 0xFF] ^ t[1][high >> 16 & 0xFF] ^ t[0][high >> 24];
        }
        foreach (var value in data) crc = t[0][(crc ^ value) & 0xFF] ^ crc >> 8;
        return crc;
    }

    private static uint[][] CreateTables()
    {
        var tables = new uint[8][];
        for (var k = 0; k < 8; k++)
        {
            tables[k] = new uint[256];
            for (var i = 0u; i < 256; i++)
            {
                var crc = k == 0 ? i : tables[k - 1][i];
                for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xEDB88320 ^ crc >> 1 : crc >> 1;
                tables[k][i] = crc;
            }
        }
        return tables;
    }
}

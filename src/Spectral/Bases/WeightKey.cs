using System.Buffers.Binary;
using System.Security.Cryptography;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>What makes two base matrices one: element type, shape and every byte, as SHA-256.</summary>
internal static class WeightKey
{
    /// <summary>Bytes of the key.</summary>
    public const int ByteCount = SHA256.HashSizeInBytes;

    private const long StretchElements = 1 << 22;

    public static byte[] Of(Tensor weight)
    {
        using var scope = NewDisposeScope();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> header = stackalloc byte[sizeof(int) + (2 * sizeof(long))];
        BinaryPrimitives.WriteInt32LittleEndian(header, (int)weight.dtype);
        BinaryPrimitives.WriteInt64LittleEndian(header[sizeof(int)..], weight.shape[0]);
        BinaryPrimitives.WriteInt64LittleEndian(header[(sizeof(int) + sizeof(long))..], weight.shape[1]);
        hash.AppendData(header);
        var flat = weight.detach().to(CPU).contiguous().view(-1);
        // A span ends at 2 GB, a tensor does not.
        for (long start = 0; start < flat.NumberOfElements; start += StretchElements)
        {
            using var stretch = flat.narrow(0, start, Math.Min(StretchElements, flat.NumberOfElements - start));
            hash.AppendData(stretch.bytes);
        }
        return hash.GetHashAndReset();
    }
}

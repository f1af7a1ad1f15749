using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A base's singular basis as a file: a header of fixed size, float64 numbers, and the SHA-256 of both.</summary>
/// <remarks>
/// Little-endian: "MLLSPEC" and the version in one byte, the key of the base, rows, columns, number of vectors, kind (0 complete, 1
/// leading), norm; then eigenvalues, near vectors and, for leading triples, far vectors and errors, row by row; then the hash. The header
/// gives the file's length exactly, and sizes are bounded by the matrix that the reader asks about before anything is allocated.
/// </remarks>
internal static class BaseSpectrumFile
{
    private const byte Version = 1;
    private const int HeaderBytes = 8 + WeightKey.ByteCount + (4 * sizeof(long)) + sizeof(double);
    private const int BufferBytes = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "MLLSPEC"u8;

    /// <summary>Writes a basis.</summary>
    public static void Write(Stream stream, BaseSpectrum basis, ReadOnlySpan<byte> key)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        header[Magic.Length] = Version;
        key.CopyTo(header.AsSpan(8));
        var rest = header.AsSpan(8 + WeightKey.ByteCount);
        BinaryPrimitives.WriteInt64LittleEndian(rest, basis.Rows);
        BinaryPrimitives.WriteInt64LittleEndian(rest[8..], basis.Columns);
        BinaryPrimitives.WriteInt64LittleEndian(rest[16..], basis.SingularValues.Count);
        BinaryPrimitives.WriteInt64LittleEndian(rest[24..], basis.IsComplete ? 0 : 1);
        BinaryPrimitives.WriteDoubleLittleEndian(rest[32..], basis.Frobenius);
        Append(header);
        foreach (var tensor in (Tensor?[])[basis.Eigenvalues, basis.NearVectors, basis.FarVectors])
        {
            if (tensor is not null) ForEachStretch(tensor, bytes => Append(bytes));
        }
        if (!basis.IsComplete) Append(MemoryMarshal.AsBytes<double>(basis.VectorErrors.ToArray()));
        stream.Write(hash.GetHashAndReset());

        void Append(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(bytes);
            stream.Write(bytes);
        }
    }

    /// <summary>Reads the basis of a given base.</summary>
    /// <param name="stream">The file, from its start.</param>
    /// <param name="weight">The base; its shape bounds what is read, its device is where the basis goes.</param>
    /// <param name="key">The key of the base.</param>
    /// <param name="plan">What the basis has to be.</param>
    /// <exception cref="InvalidDataException">It is damaged, of another version or plan, or the basis of another base.</exception>
    public static BaseSpectrum Read(Stream stream, Tensor weight, ReadOnlySpan<byte> key, BasisPlan plan)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var header = new byte[HeaderBytes];
        ReadExactly(header);
        if (!header.AsSpan(0, Magic.Length).SequenceEqual(Magic)) throw new InvalidDataException("it does not begin as a spectrum file");
        if (header[Magic.Length] != Version)
            throw new InvalidDataException($"it is of version {header[Magic.Length]}, wanted is {Version}");
        if (!header.AsSpan(8, WeightKey.ByteCount).SequenceEqual(key)) throw new InvalidDataException("it is the spectrum of another base");
        var rest = header.AsSpan(8 + WeightKey.ByteCount);
        var (rows, columns) = (BinaryPrimitives.ReadInt64LittleEndian(rest), BinaryPrimitives.ReadInt64LittleEndian(rest[8..]));
        var (count, kind) = (BinaryPrimitives.ReadInt64LittleEndian(rest[16..]), BinaryPrimitives.ReadInt64LittleEndian(rest[24..]));
        var frobenius = BinaryPrimitives.ReadDoubleLittleEndian(rest[32..]);
        var (near, far) = (Math.Min(weight.shape[0], weight.shape[1]), Math.Max(weight.shape[0], weight.shape[1]));
        var isComplete = kind == 0;
        if (rows != weight.shape[0] || columns != weight.shape[1] || kind is not (0 or 1) || !double.IsFinite(frobenius)
            || (!isComplete && plan.IsComplete(near, far))
            || (isComplete ? count != near : count < 0 || count > Math.Min(near, plan.Leading)))
        {
            throw new InvalidDataException($"its header says {count} vectors of kind {kind} for a ({rows}, {columns}) matrix");
        }
        var numbers = count * (1 + near + (isComplete ? 0 : far + 1));
        var length = HeaderBytes + (sizeof(double) * numbers) + SHA256.HashSizeInBytes;
        if (stream.Length != length) throw new InvalidDataException($"it has {stream.Length} bytes, its header asks for {length}");

        using var scope = NewDisposeScope();
        var eigenvalues = ReadTensor(count);
        var nearVectors = ReadTensor(near, count);
        var leading = isComplete ? null : new LeadingFar(ReadTensor(far, count).to(weight.device), ReadTensor(count).ToDoubles());
        var expected = hash.GetHashAndReset();
        var stored = new byte[SHA256.HashSizeInBytes];
        stream.ReadExactly(stored);
        if (!stored.AsSpan().SequenceEqual(expected)) throw new InvalidDataException("its content does not match its checksum");
        return new BaseSpectrum(
            rows, columns, frobenius, eigenvalues.to(weight.device), nearVectors.to(weight.device), leading);

        Tensor ReadTensor(params long[] shape)
        {
            var tensor = empty(shape, dtype: ScalarType.Float64, device: CPU);
            ForEachStretch(tensor, ReadExactly);
            return tensor;
        }

        void ReadExactly(Span<byte> bytes)
        {
            stream.ReadExactly(bytes);
            hash.AppendData(bytes);
        }
    }

    private static void ForEachStretch(Tensor tensor, SpanAction visit)
    {
        using var scope = NewDisposeScope();
        // A view of the caller's memory when it is contiguous on the CPU already: what is read goes there.
        var flat = tensor.detach().to(CPU).contiguous().view(-1);
        const long Elements = BufferBytes / sizeof(double);
        for (long start = 0; start < flat.NumberOfElements; start += Elements)
        {
            using var stretch = flat.narrow(0, start, Math.Min(Elements, flat.NumberOfElements - start));
            visit(stretch.bytes);
        }
    }

    private delegate void SpanAction(Span<byte> bytes);
}

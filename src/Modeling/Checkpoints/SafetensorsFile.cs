using System.Buffers;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A safetensors file, read strictly: header and ranges are checked when it is opened, data is read when asked for.</summary>
/// <remarks>Thread safe. Tensors that were read outlive the file.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly IRandomAccessBytes _bytes;
    private readonly SafetensorsHeader _header;

    private SafetensorsFile(IRandomAccessBytes bytes, string source)
    {
        _bytes = bytes;
        Source = source;
        try
        {
            _header = SafetensorsHeader.Read(bytes, source);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>The path or name that messages start with.</summary>
    public string Source { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => _header.Entries;

    /// <summary>The file's own notes, <c>__metadata__</c>; empty when it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header; no tensor data is read yet.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a valid safetensors file; the message starts with the path.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (Directory.Exists(path))
            throw new InvalidDataException($"{path}: this is a folder; a safetensors file was wanted.");
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file.", path);
        return new SafetensorsFile(new FileBytes(path), path);
    }

    /// <summary>Opens a seekable stream, an embedded resource for example, and checks its header.</summary>
    /// <param name="stream">Read from its present position to its end; nobody else may move it meanwhile.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="leaveOpen">Whether the stream stays open when this file is disposed.</param>
    /// <exception cref="ArgumentException">The stream cannot seek.</exception>
    /// <exception cref="InvalidDataException">It does not hold a valid safetensors file; the message starts with the name.</exception>
    public static SafetensorsFile Open(Stream stream, string name, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (!stream.CanRead || !stream.CanSeek)
            throw new ArgumentException($"{name}: the stream must be readable and seekable; copy it to a MemoryStream or a file first.", nameof(stream));
        return new SafetensorsFile(new StreamBytes(stream, leaveOpen), name);
    }

    /// <summary>Reads one tensor, straight into its memory.</summary>
    /// <param name="name">A key of <see cref="Entries"/>.</param>
    /// <param name="dtype">The element type wanted; default: as stored.</param>
    /// <param name="device">Where the tensor goes; default: CPU.</param>
    /// <returns>A new tensor without gradient; the caller disposes it.</returns>
    /// <exception cref="KeyNotFoundException">There is no such tensor.</exception>
    /// <exception cref="InvalidDataException">The file shrank since it was opened, or a BOOL holds something else than 0 and 1.</exception>
    public Tensor Read(string name, ScalarType? dtype = null, Device? device = null)
    {
        var entry = Entry(name);
        using var scope = NewDisposeScope();
        var stored = empty(entry.Shape.ToArray(), dtype: entry.DataType, device: CPU);
        var position = _header.DataStart + entry.Offset;
        TensorBytes.ForEachStretch(stored, stretch =>
        {
            _bytes.ReadExactly(position, stretch, Source);
            position += stretch.Length;
            // libtorch's kernels may do anything with a bool that is neither.
            if (entry.DataType == ScalarType.Bool && stretch.ContainsAnyExceptInRange((byte)0, (byte)1))
                throw new InvalidDataException($"{Source}: tensor {MessageText.Quote(name)} is BOOL but holds bytes other than 0 and 1.");
        });
        return stored.to(dtype ?? entry.DataType, device ?? CPU).MoveToOuterDisposeScope();
    }

    /// <summary>Hands the stored bytes of one tensor to <paramref name="visit"/>, in order, through a small buffer.</summary>
    internal void ForEachStretch(string name, Action<ReadOnlySpan<byte>> visit)
    {
        var entry = Entry(name);
        CopyBytes(_header.DataStart + entry.Offset, entry.ByteCount, visit);
    }

    /// <summary>Writes this file again, to the byte, but for the values of some tensors: header, layout and metadata stay.</summary>
    /// <param name="destination">Written from its present position; need not seek.</param>
    /// <param name="replace">
    /// Asked once for each tensor, in the order of the data: a tensor of the same shape and element type, which is disposed here, or null to
    /// keep the stored bytes. One tensor is in memory at a time.
    /// </param>
    /// <exception cref="ArgumentException">A replacement has another shape or element type.</exception>
    internal void CopyTo(Stream destination, Func<SafetensorsEntry, Tensor?> replace)
    {
        CopyBytes(0, _header.DataStart, bytes => destination.Write(bytes));
        // An empty tensor begins where the next one does.
        foreach (var entry in Entries.Values.OrderBy(entry => entry.Offset).ThenBy(entry => entry.ByteCount))
        {
            using var scope = NewDisposeScope();
            using var tensor = replace(entry);
            if (tensor is null)
            {
                ForEachStretch(entry.Name, bytes => destination.Write(bytes));
                continue;
            }
            if (tensor.dtype != entry.DataType || !tensor.shape.AsSpan().SequenceEqual(entry.Shape.ToArray()))
                throw new ArgumentException(
                    $"{MessageText.Quote(entry.Name)} is {entry.ShapeText} in {entry.DataType}; ({string.Join(", ", tensor.shape)}) in {tensor.dtype} cannot take its place.",
                    nameof(replace));
            TensorBytes.ForEachStretch(tensor.detach().cpu().contiguous(), bytes => destination.Write(bytes));
        }
    }

    /// <summary>Closes the file or stream.</summary>
    public void Dispose() => _bytes.Dispose();

    private void CopyBytes(long start, long count, Action<ReadOnlySpan<byte>> visit)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (long done = 0; done < count;)
            {
                var stretch = buffer.AsSpan(0, (int)Math.Min(buffer.Length, count - done));
                _bytes.ReadExactly(start + done, stretch, Source);
                visit(stretch);
                done += stretch.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private SafetensorsEntry Entry(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Entries.TryGetValue(name, out var entry) ? entry : throw new KeyNotFoundException(
            $"{Source}: there is no tensor {MessageText.Quote(name)} among its {Entries.Count}.");
    }
}

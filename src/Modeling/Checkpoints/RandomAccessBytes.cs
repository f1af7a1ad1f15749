using Microsoft.Win32.SafeHandles;

namespace MLNetLoRA.Modeling;

/// <summary>Bytes that any thread may read at any place.</summary>
internal interface IRandomAccessBytes : IDisposable
{
    long Length { get; }

    /// <summary>Reads some bytes; 0 only at the end.</summary>
    int Read(long offset, Span<byte> destination);

    /// <exception cref="InvalidDataException">The bytes end early, because they shrank since they were opened.</exception>
    void ReadExactly(long offset, Span<byte> destination, string source)
    {
        while (destination.Length > 0)
        {
            var count = Read(offset, destination);
            if (count == 0)
                throw new InvalidDataException($"{source}: the file ended at byte {offset}; it had {Length} bytes when it was opened.");
            offset += count;
            destination = destination[count..];
        }
    }
}

/// <summary>A file; reads carry their own position, so they need no lock.</summary>
internal sealed class FileBytes : IRandomAccessBytes
{
    private readonly SafeFileHandle _handle;

    public FileBytes(string path)
    {
        _handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.RandomAccess);
        try
        {
            Length = RandomAccess.GetLength(_handle);
        }
        catch (NotSupportedException e)
        {
            _handle.Dispose();
            throw new InvalidDataException($"{path}: this is a pipe or a device; an ordinary file was wanted.", e);
        }
    }

    public long Length { get; }

    public int Read(long offset, Span<byte> destination) => RandomAccess.Read(_handle, destination, offset);

    public void Dispose() => _handle.Dispose();
}

/// <summary>A seekable stream from its position at construction to its end; one lock per stream keeps position and read together.</summary>
internal sealed class StreamBytes : IRandomAccessBytes
{
    private readonly Lock _lock = new();
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly long _start;
    private bool _disposed;

    public StreamBytes(Stream stream, bool leaveOpen)
    {
        _stream = stream;
        _leaveOpen = leaveOpen;
        _start = stream.Position;
        Length = Math.Max(0, stream.Length - _start);
    }

    public long Length { get; }

    public int Read(long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _stream.Position = _start + offset;
            return _stream.Read(destination);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            if (!_leaveOpen) _stream.Dispose();
        }
    }
}

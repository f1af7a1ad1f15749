using System.Buffers;
using System.Text;

namespace MLNetLoRA.Cli.Input;

/// <summary>The lines of a UTF-8 text file, checked as they are read.</summary>
/// <remarks>Lines end at '\n', which is not part of them; a '\r' before it is. A byte order mark at the start is left out.</remarks>
internal sealed class TextLines : IDisposable
{
    private const int LongestLine = 16 << 20;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly FileStream _stream;
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly MemoryStream _pending = new();
    private int _start;
    private int _end;
    private long _offset;
    private bool _isAtEnd;
    private bool _isLineComplete;
    private bool _isWithinLine;

    private TextLines(string path, FileStream stream) => (Path, _stream) = (path, stream);

    /// <summary>The file as it was named.</summary>
    public string Path { get; }

    /// <summary>The number of the last line read, 1-based.</summary>
    public int Number { get; private set; }

    /// <exception cref="BadInputException">There is no such file, or it cannot be read.</exception>
    public static TextLines Open(string path)
    {
        if (Directory.Exists(path)) throw new BadInputException($"{path}: this is a folder; a text file was wanted.");
        if (!File.Exists(path)) throw new BadInputException($"{path}: there is no such file.");
        try
        {
            return new TextLines(path, new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path}: the file cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Whether the last part read is not the end of its line.</summary>
    public bool IsWithinLine => _isWithinLine;

    /// <summary>The next line; null at the end.</summary>
    /// <exception cref="BadInputException">The line is not UTF-8, holds a NUL character, or is longer than 16 MiB.</exception>
    public string? Next()
    {
        var line = NextPart(LongestLine);
        return _isWithinLine ? throw At($"is longer than {LongestLine >> 20} MiB; is this a text file?") : line;
    }

    /// <summary>The next line, or the next part of a line that is longer than <paramref name="mostBytes"/>; null at the end.</summary>
    /// <remarks>A long line is cut after white space where there is any in the second half of the part, and never within a character.</remarks>
    /// <param name="mostBytes">8 or more; memory stays within a small multiple of it however long a line is.</param>
    /// <exception cref="BadInputException">The part is not UTF-8, or holds a NUL character.</exception>
    public string? NextPart(int mostBytes)
    {
        var isNewLine = !_isWithinLine;
        if (NextBytes(mostBytes) is not { } bytes) return null;
        if (isNewLine) Number++;
        if (bytes.AsSpan().Contains((byte)0))
            throw At("holds a NUL character; a UTF-8 text file was wanted (UTF-16 must be converted)");
        try
        {
            var line = StrictUtf8.GetString(bytes);
            var isFirst = _offset == 0;
            _offset += bytes.Length + (_isWithinLine ? 0 : 1);
            return isFirst && line.StartsWith('\uFEFF') ? line[1..] : line;
        }
        catch (DecoderFallbackException)
        {
            var wrong = FirstInvalid(bytes);
            throw At($"is not valid UTF-8: byte 0x{bytes[wrong]:X2} at offset {_offset + wrong} of the file begins no character; convert the file to UTF-8");
        }
    }

    /// <summary>A fault of the last line read.</summary>
    public BadInputException At(string fault) => At(Number, fault);

    /// <summary>A fault of one line.</summary>
    public BadInputException At(int line, string fault) => new($"{Path}: line {line} {fault}.");

    public void Dispose() => _stream.Dispose();

    private byte[]? NextBytes(int most)
    {
        while (!_isLineComplete && _pending.Length <= most) ReadMore();
        var pending = _pending.GetBuffer().AsSpan(0, (int)_pending.Length);
        if (pending.IsEmpty && _isAtEnd)
        {
            _isWithinLine = false;
            return null;
        }
        _isWithinLine = pending.Length > most;
        var taken = _isWithinLine ? CutLength(pending[..most]) : pending.Length;
        var bytes = pending[..taken].ToArray();
        pending[taken..].CopyTo(pending);
        _pending.SetLength(pending.Length - taken);
        _pending.Position = _pending.Length;
        if (!_isWithinLine) _isLineComplete = _isAtEnd;
        return bytes;
    }

    private void ReadMore()
    {
        if (_start == _end) (_start, _end) = (0, _stream.Read(_buffer));
        _isAtEnd = _end == 0;
        var rest = _buffer.AsSpan(_start, _end - _start);
        var length = rest.IndexOf((byte)'\n');
        _pending.Write(length < 0 ? rest : rest[..length]);
        _start = length < 0 ? _end : _start + length + 1;
        _isLineComplete = length >= 0 || _isAtEnd;
    }

    private static int CutLength(ReadOnlySpan<byte> bytes)
    {
        var blank = bytes[(bytes.Length / 2)..].LastIndexOfAny((byte)' ', (byte)'\t');
        if (blank >= 0) return bytes.Length / 2 + blank + 1;
        // At most three bytes back is the first byte of the last character, if this is UTF-8 at all.
        var start = bytes.Length - 1;
        while (start > bytes.Length - 4 && (bytes[start] & 0xC0) == 0x80) start--;
        return start;
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        var position = 0;
        while (Rune.DecodeFromUtf8(bytes[position..], out _, out var length) == OperationStatus.Done) position += length;
        return position;
    }
}

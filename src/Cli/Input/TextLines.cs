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
    private int _start;
    private int _end;

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

    /// <summary>The next line; null at the end.</summary>
    /// <exception cref="BadInputException">The line is not UTF-8, holds a NUL character, or is longer than 16 MiB.</exception>
    public string? Next()
    {
        if (NextBytes() is not { } bytes) return null;
        Number++;
        if (bytes.AsSpan().Contains((byte)0))
            throw At("holds a NUL character; a UTF-8 text file was wanted (UTF-16 must be converted)");
        try
        {
            var line = StrictUtf8.GetString(bytes);
            return Number == 1 && line.StartsWith('\uFEFF') ? line[1..] : line;
        }
        catch (DecoderFallbackException)
        {
            throw At("is not valid UTF-8; convert the file to UTF-8");
        }
    }

    /// <summary>A fault of the last line read.</summary>
    public BadInputException At(string fault) => At(Number, fault);

    /// <summary>A fault of one line.</summary>
    public BadInputException At(int line, string fault) => new($"{Path}: line {line} {fault}.");

    public void Dispose() => _stream.Dispose();

    private byte[]? NextBytes()
    {
        using var pending = new MemoryStream();
        while (true)
        {
            if (_start == _end)
            {
                (_start, _end) = (0, _stream.Read(_buffer));
                if (_end == 0) return pending.Length > 0 ? pending.ToArray() : null;
            }
            var rest = _buffer.AsSpan(_start, _end - _start);
            var length = rest.IndexOf((byte)'\n');
            pending.Write(length < 0 ? rest : rest[..length]);
            _start = length < 0 ? _end : _start + length + 1;
            if (pending.Length > LongestLine)
                throw At(Number + 1, $"is longer than {LongestLine >> 20} MiB; is this a text file?");
            if (length >= 0) return pending.ToArray();
        }
    }
}

using System.Text;

namespace MLNetLoRA.Cli.Input;

/// <summary>Splits lines into fields: by tabs as they stand, by any other character with the quoting rules of CSV.</summary>
/// <remarks>
/// Source of the rules: RFC 4180. A quoted field may hold delimiters, doubled quotes and line breaks; a quote inside an unquoted field is
/// an error, for it is the usual trace of a file that was written without quoting.
/// </remarks>
internal sealed class DelimitedReader(TextLines lines, char delimiter)
{
    private string _line = "";
    private int _at;

    /// <summary>The line on which the last record began, 1-based.</summary>
    public int RecordLine { get; private set; }

    /// <summary>The fields of the next record; null at the end of the file.</summary>
    /// <exception cref="BadInputException">The text or its quoting is broken; the message names the line.</exception>
    public string[]? Next()
    {
        if (lines.Next() is not { } line) return null;
        RecordLine = lines.Number;
        return delimiter == '\t' ? WithoutReturn(line).Split('\t') : Quoted(line);
    }

    private string[] Quoted(string line)
    {
        (_line, _at) = (line, 0);
        var fields = new List<string>();
        while (true)
        {
            fields.Add(_at < _line.Length && _line[_at] == '"' ? QuotedField() : PlainField());
            if (_at == _line.Length) return [.. fields];
            _at++;
        }
    }

    private string PlainField()
    {
        var end = _line.IndexOf(delimiter, _at);
        var field = end < 0 ? WithoutReturn(_line[_at..]) : _line[_at..end];
        if (field.Contains('"'))
            throw lines.At("has a quote inside an unquoted field; put the field in quotes and double the quotes inside it");
        _at = end < 0 ? _line.Length : end;
        return field;
    }

    // Leaves _at on the delimiter or at the end of the line, which may by then be a later one.
    private string QuotedField()
    {
        var field = new StringBuilder();
        _at++;
        while (true)
        {
            var quote = _line.IndexOf('"', _at);
            if (quote < 0)
            {
                field.Append(_line.AsSpan(_at)).Append('\n');
                _line = lines.Next() ?? throw lines.At(RecordLine, "has a quoted field that never ends");
                _at = 0;
                continue;
            }
            field.Append(_line.AsSpan(_at, quote - _at));
            _at = quote + 1;
            if (_at == _line.Length || _line.AsSpan(_at) is "\r")
            {
                _at = _line.Length;
                return field.ToString();
            }
            if (_line[_at] == delimiter) return field.ToString();
            if (_line[_at] != '"')
                throw lines.At("has text after a closing quote; double the quotes inside a quoted field");
            field.Append('"');
            _at++;
        }
    }

    private static string WithoutReturn(string text) => text.EndsWith('\r') ? text[..^1] : text;
}

namespace MLNetLoRA.Cli.Input;

/// <summary>How delimiters are named: by a file's extension, or on the command line.</summary>
internal static class DelimiterName
{
    /// <summary>The delimiter that a file's extension stands for.</summary>
    /// <exception cref="BadInputException">The extension stands for none.</exception>
    public static char OfFile(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".tsv" or ".tab" => '\t',
        ".csv" => ',',
        var extension => throw new BadInputException(
            $"{path}: the extension '{extension}' does not tell what separates the columns; name the file .tsv or .csv, or give --delimiter."),
    };

    /// <summary>A delimiter as it was typed: tab, comma, semicolon, or the character itself; null for anything else.</summary>
    public static char? Parse(string typed) => typed switch
    {
        "tab" or "\\t" => '\t',
        "comma" => ',',
        "semicolon" => ';',
        [var single] when single is not ('"' or '\r' or '\n' or '\0') && !char.IsSurrogate(single) => single,
        _ => null,
    };
}

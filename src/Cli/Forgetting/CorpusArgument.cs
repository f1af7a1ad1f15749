using System.Globalization;

namespace MLNetLoRA.Cli.Forgetting;

/// <summary>One value of <c>--texts</c>: [NAME=]FILE[:WEIGHT].</summary>
/// <param name="Name">What reports call it: the file's name without its extension, where none is typed.</param>
/// <param name="Path">The file.</param>
/// <param name="Weight">Its share; null when none is typed.</param>
internal sealed record CorpusArgument(string Name, string Path, double? Weight)
{
    /// <summary>Takes a value apart. A file that is called exactly what is typed is that file, whatever signs are in its name.</summary>
    /// <exception cref="BadInputException">The name, the file or the weight is empty.</exception>
    public static CorpusArgument Parse(string typed)
    {
        if (File.Exists(typed)) return new CorpusArgument(NameOf(typed), typed, null);
        var (name, rest) = typed.IndexOf('=') is var at && at >= 0 ? (typed[..at], typed[(at + 1)..]) : (null, typed);
        if (name is { } given && string.IsNullOrWhiteSpace(given)) throw Bad(typed, "the name before '=' is empty");
        if (string.IsNullOrWhiteSpace(rest)) throw Bad(typed, "the file is missing");
        if (File.Exists(rest)) return new CorpusArgument(name ?? NameOf(rest), rest, null);

        var colon = rest.LastIndexOf(':');
        if (colon < 0) return new CorpusArgument(name ?? NameOf(rest), rest, null);
        var (path, weight) = (rest[..colon], rest[(colon + 1)..]);
        if (double.TryParse(weight, NumberStyles.Float, CultureInfo.InvariantCulture, out var share))
            return path.Length > 0 ? new CorpusArgument(name ?? NameOf(path), path, share) : throw Bad(typed, "the file is missing");
        // A drive letter or a web address has a colon too; a file before it shows that a weight was meant.
        return File.Exists(path) ? throw Bad(typed, $"the weight '{weight}' is no number") : new CorpusArgument(name ?? NameOf(rest), rest, null);
    }

    private static string NameOf(string path) =>
        System.IO.Path.GetFileNameWithoutExtension(path) is { Length: > 0 } name ? name : path;

    private static BadInputException Bad(string typed, string fault) =>
        new($"--texts is '{typed}': {fault}; write [NAME=]FILE[:WEIGHT], for example wiki=wiki.txt:0.7.");
}

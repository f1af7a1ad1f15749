using MLNetLoRA.Cli.Input;

namespace MLNetLoRA.Cli.Forgetting;

/// <summary>Reads retention text: plain UTF-8, each document a text of its own.</summary>
internal static class RetentionFile
{
    /// <summary>The documents of a file; a blank line ends one, and its lines are joined by blanks.</summary>
    /// <exception cref="BadInputException">The file cannot be read as UTF-8 text, or holds none.</exception>
    public static RetentionCorpus Read(CorpusArgument argument)
    {
        var texts = new List<string>();
        var lines = new List<string>();
        foreach (var paragraph in Paragraphs.Read(argument.Path, column: null, delimiter: null).Append(""))
        {
            if (paragraph.Length > 0) lines.Add(paragraph);
            else if (lines.Count > 0)
            {
                texts.Add(string.Join(' ', lines));
                lines.Clear();
            }
        }
        return new RetentionCorpus(argument.Name, texts, argument.Weight);
    }
}

using System.CommandLine.Parsing;
using MLNetLoRA.Cli.Input;

namespace MLNetLoRA.Cli.Continual;

/// <summary>One task as it is typed: NAME=TRAIN,TEST.</summary>
/// <param name="Name">What reports call it.</param>
/// <param name="Training">File with the rows to learn from.</param>
/// <param name="Test">File with the rows that judge.</param>
internal sealed record TaskFiles(string Name, string Training, string Test)
{
    private const string Wanted = "NAME=TRAIN,TEST was wanted, a name and two files";

    /// <summary>Reads the tasks typed; an error of the option for each that is none.</summary>
    public static IReadOnlyList<TaskFiles> Parse(ArgumentResult result)
    {
        var tasks = new List<TaskFiles>();
        foreach (var token in result.Tokens)
        {
            if (Parse(token.Value) is { } task) tasks.Add(task);
            else result.AddError($"--tasks holds '{token.Value}'; {Wanted}.");
        }
        return tasks;
    }

    /// <summary>The task as the library takes it.</summary>
    /// <param name="label">The column with the class.</param>
    /// <param name="text">The column with the text.</param>
    /// <param name="textPair">The column with the second text; null for none.</param>
    /// <param name="delimiter">What separates columns; null goes by the extension.</param>
    /// <exception cref="BadInputException">Anything about the files is wrong; the message names file and line.</exception>
    public ContinualTask Open(string label, string text, string? textPair, char? delimiter)
    {
        string[] columns = [label, text, .. textPair is null ? Array.Empty<string>() : [textPair]];
        return new ContinualTask(Name, View(Training), View(Test)) { LabelColumnName = label, Sentence1ColumnName = text, Sentence2ColumnName = textPair };

        TextTableView View(string path) => TextTableView.Of(Read(path, label, columns, delimiter));
    }

    private static TextTable Read(string path, string label, IReadOnlyList<string> columns, char? delimiter)
    {
        var table = TextTable.Read(path, delimiter, _ => columns);
        var place = table.IndexOf(label);
        if (table.Rows.FirstOrDefault(row => string.IsNullOrWhiteSpace(row.Fields[place])) is { } unlabelled)
            throw new BadInputException($"{path}: line {unlabelled.Line} has no label in column '{label}'; give it one or remove the row.");
        return table;
    }

    private static TaskFiles? Parse(string typed)
    {
        var equals = typed.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0) return null;
        var (name, files) = (typed[..equals].Trim(), typed[(equals + 1)..].Split(','));
        return name.Length > 0 && files is [var training, var test] && !string.IsNullOrWhiteSpace(training) && !string.IsNullOrWhiteSpace(test)
            ? new TaskFiles(name, training, test)
            : null;
    }
}

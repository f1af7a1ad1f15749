using System.CommandLine;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Verbs;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Balancing;

/// <summary>The options of rescale --which balance: what is to be kept, what the task is, and which counts how much.</summary>
internal sealed class BalanceArguments
{
    public const string Which = "balance";

    // What pseudo-log-likelihoods are usually read in.
    private const int DefaultMaxTokens = 128;
    private const int DefaultMomentTokens = 16_384;

    private static readonly string[] TableExtensions = [".tsv", ".tab", ".csv"];

    private readonly Option<string?> _texts = VerbOptions.Path(
        "--texts", "balance: text of the kind whose knowledge is to be kept, plain UTF-8, a paragraph a line. Some hundred sentences are enough.", "F");
    private readonly Option<string?> _task = VerbOptions.Path(
        "--task", "balance: rows of the task that the model was fine-tuned for: a table with --text, or plain text, a row a line. Labels are not read.", "F");
    private readonly Option<string?> _text = VerbOptions.Path("--text", "balance: the column of --task with the text.", "C");
    private readonly Option<string?> _textPair = VerbOptions.Path("--text-pair", "balance: the column of --task with the second text of a pair.", "C");
    private readonly Option<char?> _delimiter = VerbOptions.Delimiter();
    private readonly Option<double?> _strength = VerbOptions.Number<double>(
        "--strength", "balance: how much a disturbance of --texts counts against one of --task (default 0.5): 0 changes nothing, large values undo the fine-tuning.", least: 0);
    private readonly Option<int?> _maxTokens = VerbOptions.Number<int>("--max-tokens", $"balance: the longest row and window of text, in tokens (default {DefaultMaxTokens}).", least: 8);
    private readonly Option<int?> _seed = VerbOptions.Number<int>("--seed", "balance: draws the rows and texts that are looked at, and the tokens that are hidden in these (default 0).");

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_texts, _task, _text, _textPair, _delimiter, _strength, _maxTokens, _seed];

    /// <summary>Option and path of what is read.</summary>
    public IReadOnlyList<(string Option, string? Path)> Paths(ParseResult parsed) => [("--texts", parsed.GetValue(_texts)), ("--task", parsed.GetValue(_task))];

    /// <summary>The repair typed, checked.</summary>
    /// <exception cref="BadInputException">A file is not named, or the strength is out of its range.</exception>
    public RetentionBalancing Read(ParseResult parsed)
    {
        if (parsed.GetValue(_texts) is null) throw new BadInputException($"--which {Which} needs --texts F, text of the kind whose knowledge is to be kept.");
        if (parsed.GetValue(_task) is null) throw new BadInputException($"--which {Which} needs --task F, rows of the task that the model was fine-tuned for.");
        if (parsed.IsGiven(_textPair) && !parsed.IsGiven(_text)) throw new BadInputException("--text-pair needs --text, the column with the first text.");
        var balancing = new RetentionBalancing();
        if (parsed.GetValue(_strength) is { } strength) balancing = balancing with { Strength = strength };
        return balancing.Faults().ToList() is { Count: > 0 } faults ? throw new BadInputException(OptionNames.AsTyped(string.Join(' ', faults))) : balancing;
    }

    /// <summary>A sample of the task's rows, as the base reads them.</summary>
    /// <exception cref="BadInputException">The file cannot be read, or has no text.</exception>
    public IReadOnlyList<EncodedText> TaskRows(ParseResult parsed, PretrainedModel model)
    {
        var path = parsed.GetValue(_task)!;
        var rows = (parsed.GetValue(_text) is { } column ? Columns(path, column, parsed) : Lines(path, parsed))
            .Where(row => !string.IsNullOrWhiteSpace(row.First) || !string.IsNullOrWhiteSpace(row.Second))
            .Select(row => model.Tokenizer.Encode(row.First, row.Second, MaxTokens(parsed, model))).ToList();
        return rows.Count > 0
            ? MomentRows.Sample(rows, DefaultMomentTokens, Seed(parsed))
            : throw new BadInputException($"{path}: there is no text in column '{parsed.GetValue(_text)}'.");
    }

    /// <summary>A sample of windows of the retention texts, with tokens hidden.</summary>
    /// <exception cref="BadInputException">The file cannot be read, or has no text of two tokens.</exception>
    public IReadOnlyList<EncodedText> RetentionWindows(ParseResult parsed, PretrainedModel model)
    {
        var path = parsed.GetValue(_texts)!;
        var texts = Paragraphs.Read(path, column: null, delimiter: null);
        var windows = MomentRows.SampleMasked(texts, model.Tokenizer, MaxTokens(parsed, model), DefaultMomentTokens, Seed(parsed));
        return windows.Count > 0 ? windows : throw new BadInputException($"{path}: no line has two tokens or more; give sentences or paragraphs.");
    }

    private (string First, string? Second)[] Columns(string path, string column, ParseResult parsed)
    {
        var pair = parsed.GetValue(_textPair);
        var table = TextTable.Read(path, parsed.GetValue(_delimiter), _ => pair is null ? [column] : [column, pair]);
        return [.. table.Rows.Select(row => (row.Fields[0], pair is null ? null : row.Fields[1]))];
    }

    private IEnumerable<(string First, string? Second)> Lines(string path, ParseResult parsed)
    {
        if (parsed.IsGiven(_delimiter)) throw new BadInputException("--delimiter has no effect without --text, the column of --task with the text.");
        if (TableExtensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            throw new BadInputException($"{path} is a table; name the column with the text with --text.");
        return Paragraphs.Read(path, column: null, delimiter: null).Select(line => (line, (string?)null));
    }

    private int MaxTokens(ParseResult parsed, PretrainedModel model)
    {
        var longest = model.Config.MaxTokens;
        if (parsed.GetValue(_maxTokens) is not { } asked) return Math.Min(DefaultMaxTokens, longest);
        return asked <= longest ? asked : throw new BadInputException($"--max-tokens is {asked}; {model.Name} reads {longest} at most.");
    }

    private int Seed(ParseResult parsed) => parsed.GetValue(_seed) ?? 0;
}

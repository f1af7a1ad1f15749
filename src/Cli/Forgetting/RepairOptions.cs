using System.CommandLine;
using Microsoft.ML;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Scoring;
using MLNetLoRA.Cli.Verbs;

namespace MLNetLoRA.Cli.Forgetting;

/// <summary>The options of <c>forget</c> that ask for more than the model as it is: scales, methods, test rows.</summary>
internal sealed class RepairOptions
{
    private readonly Option<IReadOnlyList<double>?> _scales = VerbOptions.Numbers<double>(
        "--scales", "Also measure repairs at these scales: 1 leaves the model as it is, 0 removes what the method scales. With --test or --task alone: 1.");
    private readonly Option<string?> _which = VerbOptions.Path(
        "--which",
        "With --scales, methods separated by commas (default: all): top, all (intruders), neighbour (control), uniform (control: each matrix's change, moved as "
        + "far as all), uniform-global (the whole change times the scale; rescale --match factor), balance (at --strengths; with --task).", "METHOD[,…]");
    private readonly Option<string?> _task = VerbOptions.Path(
        "--task", "Rows that the model was trained on, not those of --test: from them and every other window of --texts balance learns what to keep, and forgetting "
        + "is measured on the other windows; with --model. Labels are not read.", "F");
    private readonly Option<IReadOnlyList<double>?> _strengths = VerbOptions.Numbers<double>(
        "--strengths", "With --task, the strengths of balance to measure: 0 leaves the model as it is, large values undo the fine-tuning (default: 0 to 10).");
    private readonly Option<string?> _test = VerbOptions.Path("--test", "Labelled rows that tell what a repair costs; with --model.", "F");
    private readonly Option<string?> _label = VerbOptions.Path("--label", "The column of --test with the class.", "C");
    private readonly Option<string?> _text = VerbOptions.Path("--text", "The column of --test and --task with the text (default: the name that the model was trained with).", "C");
    private readonly Option<char?> _delimiter = VerbOptions.Delimiter();
    private readonly Option<double?> _tolerance = VerbOptions.Number<double>(
        "--accuracy-tolerance", "How much accuracy a recommended repair may cost, as a share (default 0.005).", least: 0);

    public void AddTo(Command command)
    {
        Option[] options = [_scales, _which, _task, _strengths, _test, _label, _text, _delimiter, _tolerance];
        foreach (var option in options) command.Add(option);
    }

    /// <summary>Option and path of what is read.</summary>
    public IReadOnlyList<(string Option, string? Path)> Paths(ParseResult parsed) => [("--test", parsed.GetValue(_test)), ("--task", parsed.GetValue(_task))];

    /// <summary>Whether there is more to measure than the model as it is.</summary>
    public bool AreGiven(ParseResult parsed) => parsed.IsGiven(_scales) || parsed.IsGiven(_test) || parsed.IsGiven(_task);

    /// <summary>Refuses what has no effect.</summary>
    /// <exception cref="BadInputException">An option is given without the one it belongs to.</exception>
    public void Check(ParseResult parsed, bool hasSavedModel)
    {
        if (parsed.IsGiven(_which) && !parsed.IsGiven(_scales)) throw new BadInputException("--which has no effect without --scales; leave it out.");
        if (parsed.IsGiven(_tolerance) && !(parsed.IsGiven(_scales) && parsed.IsGiven(_test)))
            throw new BadInputException("--accuracy-tolerance has no effect without --scales and --test; leave it out.");
        CheckTask(parsed, hasSavedModel);
        if (!parsed.IsGiven(_test))
        {
            foreach (var option in (Option[])[_label, .. parsed.IsGiven(_task) ? (Option[])[] : [_text, _delimiter]])
                if (parsed.IsGiven(option)) throw new BadInputException($"{option.Name} has no effect without --test; leave it out.");
            return;
        }
        if (!hasSavedModel) throw new BadInputException("--test needs --model M.mlnet: a checkpoint or an adapter alone does not know its classes.");
        if (!parsed.IsGiven(_label)) throw new BadInputException("--label is missing: the column of --test with the class.");
    }

    private void CheckTask(ParseResult parsed, bool hasSavedModel)
    {
        if (parsed.GetValue(_task) is not { } task)
        {
            if (parsed.IsGiven(_strengths)) throw new BadInputException("--strengths has no effect without --task; leave it out.");
            if (ReadMethods(parsed)?.Contains(RepairMethod.Balance) is true) throw new BadInputException("--which balance needs --task F, rows that the model was trained on.");
            return;
        }
        if (!hasSavedModel) throw new BadInputException("--task needs --model M.mlnet: a checkpoint or an adapter alone does not know its columns.");
        if (ReadMethods(parsed)?.Contains(RepairMethod.Balance) is false) throw new BadInputException("--task has no effect when --which does not name balance; leave it out.");
        if (parsed.GetValue(_test) is { } test && Path.GetFullPath(test) == Path.GetFullPath(task))
            throw new BadInputException($"{task}: --task and --test name the same file; what judges a repair must not have made it. Give training rows to --task.");
    }

    /// <summary>The options as the library takes them.</summary>
    /// <param name="parsed">What was typed.</param>
    /// <param name="forgetting">How forgetting is measured.</param>
    /// <param name="model">The saved model, which knows its columns; null for a checkpoint or an adapter.</param>
    /// <exception cref="BadInputException">A method is unknown, or the test rows cannot be read.</exception>
    public RepairCurveOptions Read(ParseResult parsed, ForgettingOptions forgetting, SavedModel? model)
    {
        var defaults = new RepairCurveOptions();
        var hasScales = parsed.IsGiven(_scales);
        return new RepairCurveOptions
        {
            Forgetting = forgetting,
            Scales = parsed.GetValue(_scales) ?? [1],
            Methods = hasScales ? ReadMethods(parsed) ?? defaults.Methods
                : parsed.IsGiven(_task) ? [RepairMethod.UniformGlobal, RepairMethod.Balance]
                : [RepairMethod.UniformGlobal],
            Strengths = parsed.GetValue(_strengths) ?? defaults.Strengths,
            TaskRows = parsed.GetValue(_task) is { } task ? ReadRows(task, label: null, parsed, model!) : null,
            TestSet = parsed.GetValue(_test) is { } test ? ReadRows(test, parsed.GetValue(_label), parsed, model!) : null,
            LabelColumnName = parsed.GetValue(_label) ?? defaults.LabelColumnName,
            AccuracyTolerance = parsed.GetValue(_tolerance) ?? defaults.AccuracyTolerance,
        };
    }

    private List<RepairMethod>? ReadMethods(ParseResult parsed) => parsed.GetValue(_which)?.Split(',', StringSplitOptions.TrimEntries)
        .Select(word => ForgetPoint.Methods.TryGetValue(word, out var method) ? method : throw new BadInputException(
            $"--which holds '{word}'; use {string.Join(", ", ForgetPoint.Methods.Keys)}."))
        .ToList();

    // The rows under the name that the model reads, whatever the file calls it.
    private IDataView ReadRows(string path, string? label, ParseResult parsed, SavedModel model)
    {
        var known = model.TextColumns;
        var typed = parsed.GetValue(_text) ?? known[0];
        var table = TextTable.Read(path, parsed.GetValue(_delimiter), _ => [.. label is null ? (string[])[] : [label], typed, .. known.Skip(1)]);
        var view = TextTableView.Of(table);
        return typed == known[0] ? view : new MLContext().Transforms.CopyColumns(known[0], typed).Fit(view).Transform(view);
    }
}

using System.CommandLine;
using Microsoft.ML;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Studying;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora study: many ways to fine-tune one model, held against the findings of arXiv 2410.21228.</summary>
internal sealed class StudyVerb
{
    // Runs have seeds of their own; this one decides nothing that is written.
    private const int ContextSeed = 1;

    private readonly Argument<string> _settings = new("SETTINGS.json") { Description = "What is trained and measured; paths in it are relative to its folder." };
    private readonly Option<string> _out = VerbOptions.Required("--out", "The report to write, with pictures: REPORT.html or REPORT.md.");
    private readonly Option<string?> _runs = VerbOptions.Path("--runs", "A folder that keeps finished runs, so that a study that was cut off goes on.", "DIR");
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private StudyVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new StudyVerb(terminal);
        var command = new Command("study", "Fine-tune a model in many ways; measure what each forgot and which intruder dimensions it has.")
        {
            verb._settings, verb._out, verb._runs, verb._device, verb._json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (path, report, json, runs) = (parsed.GetValue(_settings)!, parsed.GetValue(_out)!, parsed.GetValue(_json), parsed.GetValue(_runs));
        var file = StudyFile.Read(path);
        ReportFile.Check("--out", report);
        var (train, test) = (StudyFile.PathFrom(path, file.Task.Train), StudyFile.PathFrom(path, file.Task.Test));
        OutputPaths.Check(
            [("--out", report), ("--json", json)],
            [("the settings", path), ("task.train", train), ("task.test", test), ("repair.balance_texts", file.Repair.BalanceTexts is { } balance ? StudyFile.PathFrom(path, balance) : null), .. file.Retention.Select(texts => ("retention", (string?)StudyFile.PathFrom(path, texts.Path)))]);
        if (runs is not null) OutputPaths.CheckFolder(runs);
        TorchNativeLibrary.EnsureLoaded();
        VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        var (training, judging) = (View(file.Task, train, file.Task.Limit), View(file.Task, test, limit: null));
        var (corpora, balanceTexts) = (file.ReadRetention(path), file.ReadBalanceTexts(path));
        var model = BaseModel.OpenPretrained(file.Base == BaseModel.MiniEncoder ? file.Base : StudyFile.PathFrom(path, file.Base));
        var settings = file.ToSettings(model, balanceTexts, runs, VerbOptions.DeviceOption(parsed.GetValue(_device)!));

        var outcome = _terminal.Follow("Studying", progress =>
        {
            try
            {
                return new MLContext(ContextSeed).RunStudy(
                    model, training, judging, corpora, settings with { Progress = new SaidActivity(progress), CancellationToken = cancellation });
            }
            catch (ArgumentException error)
            {
                throw new BadInputException($"{path}: {StudyFile.AsTyped(error.Message)}", error);
            }
        });
        cancellation.ThrowIfCancellationRequested();
        ReportFile.Write(report, outcome.ToDocument());
        JsonReport.WriteText(json, outcome.ToJson());
        _terminal.Show(StudyTable.Of(outcome));
        return CommandLine.Done;
    }

    private static TextTableView View(StudyTaskPart task, string path, int? limit)
    {
        var table = TextTable.Read(path, delimiter: null, _ => [task.Label, task.Text, .. task.TextPair is { } pair ? (string[])[pair] : []], limit);
        var place = table.IndexOf(task.Label);
        if (table.Rows.FirstOrDefault(row => string.IsNullOrWhiteSpace(row.Fields[place])) is { } unlabelled)
            throw new BadInputException($"{path}: line {unlabelled.Line} has no label in column '{task.Label}'; give it one or remove the row.");
        return TextTableView.Of(table);
    }

    // What is said waits until all input was found good.
    private sealed class SaidActivity(WorkProgress progress) : IProgress<string>
    {
        public void Report(string value)
        {
            progress.Begin();
            progress.Say($"{value}.");
        }
    }
}

using System.CommandLine;
using System.Diagnostics;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Scoring;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora predict: scores the rows of a file with a saved model.</summary>
internal sealed class PredictVerb
{
    private readonly Option<string> _model = VerbOptions.Required(
        "--model", "A saved model. It names the text columns it reads. Load only files you trust.", "M.mlnet");
    private readonly Option<string> _data = VerbOptions.Required(
        "--data", "The rows to score: TSV or CSV with a header line that has the model's text columns.", "F");
    private readonly Option<string> _out = VerbOptions.Required(
        "--out",
        "Written in the order of the rows: Row (from 1), PredictedLabel, Score (the highest), Score.CLASS for each class. "
        + "CSV when it ends in .csv, else TSV.",
        "P.tsv");
    private readonly Option<char?> _delimiter = VerbOptions.Delimiter();
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private PredictVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new PredictVerb(terminal);
        var command = new Command("predict", "Score the rows of a file with a saved model.")
        {
            verb._model, verb._data, verb._out, verb._delimiter, verb._device, verb._json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        TorchNativeLibrary.EnsureLoaded();
        var (modelPath, data, output, json) = (parsed.GetValue(_model)!, parsed.GetValue(_data)!, parsed.GetValue(_out)!, parsed.GetValue(_json));
        var device = VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        OutputPaths.Check([("--out", output), ("--json", json)], [("--model", modelPath), ("--data", data)]);

        using var model = SavedModel.Load(ModelFile.On(device), modelPath);
        var table = TextTable.Read(data, parsed.GetValue(_delimiter), model.ChooseColumns);
        var predictions = model.Score(table);

        var clock = Stopwatch.StartNew();
        _terminal.Follow("Scoring", progress =>
        {
            AtomicFile.Write(output, stream => PredictionFile.Write(stream, output, predictions, table.Rows.Count, progress, cancellation));
            return true;
        });
        var seconds = clock.Elapsed.TotalSeconds;
        JsonReport.Write(json, new PredictionSummary(table.Rows.Count, seconds, table.Rows.Count / seconds));
        return CommandLine.Done;
    }

    /// <summary>What <c>predict --json</c> writes.</summary>
    /// <param name="Rows">Rows scored.</param>
    /// <param name="Seconds">Scoring and writing, without loading.</param>
    /// <param name="ExamplesPerSecond">Rows per second.</param>
    private sealed record PredictionSummary(int Rows, double Seconds, double ExamplesPerSecond);
}

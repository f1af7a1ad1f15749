using System.CommandLine;
using Microsoft.ML;
using MLNetLoRA.Cli.Forgetting;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Scoring;
using MLNetLoRA.Modeling;
using Spectre.Console;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora forget: how much of its pretraining a model lost by fine-tuning.</summary>
internal sealed class ForgetVerb
{
    private readonly Option<string> _base = VerbOptions.Required(
        "--base", "The model before fine-tuning, with its masked-language-model head: a checkpoint folder with its tokenizer, or mini-encoder.", "B");
    private readonly Option<string?> _model = VerbOptions.Path("--model", "The model after fine-tuning, as train --out saved it. Load only files you trust.", "M.mlnet");
    private readonly Option<string?> _tuned = VerbOptions.Path("--tuned", "Instead of --model: a fine-tuned checkpoint folder or .safetensors file of the same model.", "Y");
    private readonly Option<string?> _adapter = VerbOptions.Path("--adapter", "Instead of --model: a folder with PEFT's files of a LoRA adapter.", "DIR");
    private readonly Option<string[]> _texts = Texts();
    private readonly Option<string?> _measure = VerbOptions.Choice(
        "--measure", "sampled (default): tokens drawn at random, with a standard error. exact: every token.", "sampled", "exact");
    private readonly Option<int?> _positions = VerbOptions.Number<int>("--positions", "How many tokens are hidden in all corpora together, each alone (default 2000).", least: 2);
    private readonly Option<int?> _maxTokens = VerbOptions.Number<int>("--max-tokens", "The longest window of text, in tokens (default 128).", least: 8);
    private readonly Option<int?> _batchSize = VerbOptions.Number<int>("--batch-size", "Windows in one pass (default 32).", least: 1);
    private readonly Option<int?> _seed = VerbOptions.Number<int>("--seed", "Decides which tokens are drawn (default 1).");
    private readonly RepairOptions _repair = new();
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _out = VerbOptions.Path("--out", "The report to write, with pictures of the repairs: REPORT.html or REPORT.md.");
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private ForgetVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new ForgetVerb(terminal);
        var command = new Command("forget", "Measure how much of its pretraining a model lost: loss on retention texts before and after fine-tuning.")
        {
            verb._base, verb._model, verb._tuned, verb._adapter, verb._texts, verb._measure, verb._positions, verb._maxTokens, verb._batchSize, verb._seed,
            verb._device, verb._out, verb._json,
        };
        verb._repair.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        CheckOneModel(parsed);
        _repair.Check(parsed, hasSavedModel: parsed.IsGiven(_model));
        var arguments = parsed.GetValue(_texts)!.Select(CorpusArgument.Parse).ToList();
        TorchNativeLibrary.EnsureLoaded();
        var (device, page, json) = (VerbOptions.ChooseDevice(parsed.GetValue(_device)!), parsed.GetValue(_out), parsed.GetValue(_json));
        ReportFile.Check("--out", page);
        OutputPaths.Check(
            [("--out", page), ("--json", json)],
            [
                ("--base", parsed.GetValue(_base)), ("--model", parsed.GetValue(_model)), ("--tuned", parsed.GetValue(_tuned)), ("--adapter", parsed.GetValue(_adapter)),
                .. _repair.Paths(parsed), .. arguments.Select(argument => ("--texts", (string?)argument.Path)),
            ]);
        List<RetentionCorpus> corpora = [.. arguments.Select(RetentionFile.Read)];
        var model = BaseModel.Open(parsed.GetValue(_base)!, tokenizer: null);
        var (report, curve) = _terminal.Follow(
            "Measuring", progress => Measure(parsed, model, corpora, device, Options(parsed, model, device, progress, cancellation)));
        var summary = ForgetSummary.Of(report, curve, device.ToString());
        ReportFile.Write(page, curve?.ToDocument() ?? report.ToDocument());
        JsonReport.Write(json, summary);
        _terminal.Show(ForgetTable.Of(summary));
        if (summary.Conclusion is null) return CommandLine.Done;
        _terminal.Show(RepairTable.Of(summary));
        _terminal.Show(new Text($"{summary.Conclusion}\n"));
        return CommandLine.Done;
    }

    private (ForgettingReport Report, RepairCurve? Curve) Measure(
        ParseResult parsed, PretrainedModel model, List<RetentionCorpus> corpora, Device device, ForgettingOptions options)
    {
        var isCurve = _repair.AreGiven(parsed);
        if (parsed.GetValue(_tuned) is { } tuned)
            return isCurve
                ? Whole(RepairCurveEvaluation.OfCheckpoint(model, tuned, corpora, _repair.Read(parsed, options, model: null)))
                : (ForgettingEvaluation.OfCheckpoint(model, tuned, corpora, options), null);
        if (parsed.GetValue(_adapter) is { } adapter)
            return isCurve
                ? Whole(RepairCurveEvaluation.OfAdapter(model, adapter, corpora, _repair.Read(parsed, options, model: null)))
                : (ForgettingEvaluation.OfAdapter(model, adapter, corpora, options), null);
        var ml = new MLContext { GpuDeviceId = device.type is TorchSharp.DeviceType.CUDA ? device.index : -1, FallbackToCpu = false };
        using var saved = SavedModel.Load(ml, parsed.GetValue(_model)!);
        return isCurve
            ? Whole(ml.Model.EvaluateRepair(saved.Transformer, corpora, _repair.Read(parsed, options, saved)))
            : (ml.Model.EvaluateForgetting(saved.Transformer, corpora, options), null);

        static (ForgettingReport, RepairCurve) Whole(RepairCurve curve) => (curve.Unscaled, curve with { Conclusion = OptionNames.AsTyped(curve.Conclusion) });
    }

    private ForgettingOptions Options(ParseResult parsed, PretrainedModel model, Device device, WorkProgress progress, CancellationToken cancellation)
    {
        var defaults = new ForgettingOptions();
        return new ForgettingOptions
        {
            Measure = parsed.GetValue(_measure) == "exact" ? RetentionMeasure.Exact : RetentionMeasure.Sampled,
            Positions = parsed.GetValue(_positions) ?? defaults.Positions,
            MaxTokens = parsed.GetValue(_maxTokens),
            BatchSize = parsed.GetValue(_batchSize) ?? defaults.BatchSize,
            Seed = parsed.GetValue(_seed) ?? defaults.Seed,
            Device = device.ToString(),
            BaseModel = model,
            Progress = new PositionProgress(progress),
            CancellationToken = cancellation,
        };
    }

    private void CheckOneModel(ParseResult parsed)
    {
        Option[] forms = [_model, _tuned, _adapter];
        var given = forms.Where(parsed.IsGiven).Select(option => option.Name).ToList();
        if (given.Count == 0) throw new BadInputException("The fine-tuned model is missing; give --model M.mlnet, --tuned Y or --adapter DIR.");
        if (given.Count > 1) throw new BadInputException($"{string.Join(" and ", given)} are given; give one of them.");
    }

    private static Option<string[]> Texts() => new("--texts")
    {
        Description = "Text that the base was pretrained on, or like it: plain UTF-8, a blank line ends a document. Several may follow, each with a name and a "
            + "share of the total; shares sum to 1, without any they are equal.",
        HelpName = "[NAME=]F[:WEIGHT]",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    private sealed class PositionProgress(WorkProgress progress) : IProgress<ForgettingProgress>
    {
        public void Report(ForgettingProgress value) => progress.Advance(value.Positions, value.TotalPositions);
    }
}

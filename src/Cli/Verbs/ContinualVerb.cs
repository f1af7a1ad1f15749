using System.CommandLine;
using Microsoft.ML;
using MLNetLoRA.Cli.Continual;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Training;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora continual: learns several tasks one after the other, and measures what is kept.</summary>
internal sealed class ContinualVerb
{
    private const string Lora = "lora";
    private const string Full = "full";
    private const string Merge = "merge";
    private const string Apart = "apart";
    private const int DefaultSeed = 1;

    private readonly Option<string> _base = VerbOptions.Required("--base", "What to start from: a checkpoint folder, or mini-encoder.", "B");
    private readonly Option<IReadOnlyList<TaskFiles>> _tasks = new("--tasks")
    {
        Description = "Two or more tasks in the order of learning; TSV or CSV files with a header line.",
        HelpName = "NAME=TRAIN,TEST",
        Required = true,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = true,
        CustomParser = TaskFiles.Parse,
    };
    private readonly Option<string> _label = VerbOptions.Required("--label", "The column with the class, in every file.", "C");
    private readonly Option<string> _text = VerbOptions.Required("--text", "The column with the text, in every file.", "C");
    private readonly Option<string?> _textPair = VerbOptions.Path("--text-pair", "The column with the second text of a pair.", "C");
    private readonly Option<char?> _delimiter = VerbOptions.Delimiter();
    private readonly Option<string?> _method = VerbOptions.Choice("--method", "What each task trains: lora (default) or full.", Lora, Full);
    private readonly Option<string?> _adapters = VerbOptions.Choice(
        "--adapters", "lora: merge each task's adapter into the weights before the next (default), or keep it apart, one a task.", Merge, Apart);
    private readonly Option<double?> _scale = VerbOptions.Number<double>(
        "--scale", "Scale the highest-ranked intruder dimension of each matrix by this after each task (1 leaves it, 0 removes it; default: leave it).");
    private readonly Option<int?> _rank = VerbOptions.Number<int>("--rank", "lora: inner dimension of the corrections (default 8).");
    private readonly Option<double?> _alpha = VerbOptions.Number<double>("--alpha", "lora: corrections count alpha / rank (default twice the rank).");
    private readonly Option<string?> _targets = VerbOptions.Path(
        "--targets", "lora: all-linear (default), or names of linear maps separated by commas, as the checkpoint names them.", "NAME,…");
    private readonly Option<int?> _epochs = VerbOptions.Number<int>("--epochs", "Passes over each task's rows (default 10).");
    private readonly Option<int?> _batchSize = VerbOptions.Number<int>("--batch-size", "Rows in one step (default 32).");
    private readonly Option<double?> _learningRate = VerbOptions.Number<double>("--learning-rate", "Peak learning rate (default: what the base recommends).");
    private readonly Option<int?> _maxTokens = VerbOptions.Number<int>("--max-tokens", "Longer rows are cut to this many tokens (default 128).");
    private readonly Option<int?> _headEpochs = VerbOptions.Number<int>("--head-epochs", "Passes of the fresh heads that test a stage (default 20).");
    private readonly Option<double?> _headLearningRate = VerbOptions.Number<double>("--head-learning-rate", "Their peak learning rate (default 0.001).");
    private readonly Option<int?> _topK = VerbOptions.Number<int>("--top-k", "How many leading singular vectors of each matrix are judged (default 10).");
    private readonly Option<double?> _epsilon = VerbOptions.Number<double>(
        "--epsilon", "A vector is an intruder when its |cosine| with every one of the original base is below this (default 0.5).");
    private readonly Option<string?> _out = VerbOptions.Path("--out", "The report to write, with pictures: REPORT.html or REPORT.md.");
    private readonly Option<int?> _seed = VerbOptions.Seed();
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private ContinualVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new ContinualVerb(terminal);
        var command = new Command("continual", "Learn several tasks one after the other; after each, measure what is known of all.")
        {
            verb._base, verb._tasks, verb._label, verb._text, verb._textPair, verb._delimiter, verb._method, verb._adapters, verb._scale, verb._rank,
            verb._alpha, verb._targets, verb._epochs, verb._batchSize, verb._learningRate, verb._maxTokens, verb._headEpochs, verb._headLearningRate,
            verb._topK, verb._epsilon, verb._out, verb._seed, verb._device, verb._json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        RefuseOptionsWithoutEffect(parsed);
        TorchNativeLibrary.EnsureLoaded();
        VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        var (files, report, json) = (parsed.GetValue(_tasks)!, parsed.GetValue(_out), parsed.GetValue(_json));
        ReportFile.Check("--out", report);
        OutputPaths.Check([("--out", report), ("--json", json)], files.SelectMany(task => new[] { ("--tasks", (string?)task.Training), ("--tasks", task.Test) }));
        CheckColumns(parsed);
        List<ContinualTask> tasks = [.. files.Select(task => task.Open(
            parsed.GetValue(_label)!, parsed.GetValue(_text)!, parsed.GetValue(_textPair), parsed.GetValue(_delimiter)))];
        var model = BaseModel.Open(parsed.GetValue(_base)!, tokenizer: null);

        var ml = new MLContext(parsed.GetValue(_seed) ?? DefaultSeed);
        var outcome = _terminal.Follow(
            "Learning", progress => ml.MulticlassClassification.ContinualLearning(model, tasks, Options(parsed, ml, progress, cancellation)));
        cancellation.ThrowIfCancellationRequested();
        ReportFile.Write(report, outcome.ToDocument());
        JsonReport.WriteText(json, outcome.ToJson());
        _terminal.Show(ContinualTable.Of(outcome));
        return CommandLine.Done;
    }

    // An option without effect is a misunderstanding: better said than passed over.
    private void RefuseOptionsWithoutEffect(ParseResult parsed)
    {
        if (parsed.GetValue(_method) != Full) return;
        var foreign = new Option[] { _adapters, _rank, _alpha, _targets }.Where(parsed.IsGiven).Select(option => option.Name).ToList();
        if (foreign.Count > 0) throw new BadInputException($"{string.Join(", ", foreign)} has no effect with --method {Full}; leave it out.");
    }

    private void CheckColumns(ParseResult parsed)
    {
        var columns = new[] { parsed.GetValue(_label), parsed.GetValue(_text), parsed.GetValue(_textPair) }.OfType<string>().ToList();
        if (columns.CountBy(name => name).FirstOrDefault(pair => pair.Value > 1).Key is { } twice)
            throw new BadInputException($"--label, --text and --text-pair must be different columns; '{twice}' is given twice.");
    }

    private ContinualLearningOptions Options(ParseResult parsed, MLContext ml, WorkProgress progress, CancellationToken cancellation)
    {
        var (defaults, head, spectral) = (new TextClassificationOptions(), new FreshHeadOptions(), new SpectralSettings());
        var lora = new LoraOptions { Alpha = parsed.GetValue(_alpha) };
        if (parsed.GetValue(_rank) is { } rank) lora = lora with { Rank = rank };
        if (parsed.GetValue(_targets) is { } targets)
            lora = lora with { TargetModules = targets.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) };
        var seed = parsed.GetValue(_seed) ?? DefaultSeed;
        return new ContinualLearningOptions
        {
            Method = parsed.GetValue(_method) == Full ? FineTuningMethod.Full : FineTuningMethod.Lora,
            Adapters = parsed.GetValue(_adapters) == Apart ? AdapterHandling.Apart : AdapterHandling.Merge,
            Repair = parsed.GetValue(_scale) is { } scale ? ml.Transforms.RescaleIntruderDimensions(new IntruderOptions
            {
                Scale = scale,
                TopK = parsed.GetValue(_topK) ?? new IntruderOptions().TopK,
                Epsilon = parsed.GetValue(_epsilon) ?? new IntruderOptions().Epsilon,
            }) : null,
            Training = defaults with
            {
                Lora = lora,
                MaxEpochs = parsed.GetValue(_epochs) ?? defaults.MaxEpochs,
                BatchSize = parsed.GetValue(_batchSize) ?? defaults.BatchSize,
                LearningRate = parsed.GetValue(_learningRate),
                MaxTokens = parsed.GetValue(_maxTokens),
                Seed = seed,
                Device = VerbOptions.DeviceOption(parsed.GetValue(_device)!),
                Progress = new StepsOfStages(progress),
            },
            Head = head with
            {
                MaxEpochs = parsed.GetValue(_headEpochs) ?? head.MaxEpochs,
                LearningRate = parsed.GetValue(_headLearningRate) ?? head.LearningRate,
                Seed = seed,
            },
            Spectral = spectral with
            {
                TopK = parsed.GetValue(_topK) is { } topK ? [topK] : spectral.TopK,
                Epsilon = parsed.GetValue(_epsilon) is { } epsilon ? [epsilon] : spectral.Epsilon,
            },
            Progress = new SaidActivity(progress),
            CancellationToken = cancellation,
        };
    }

    // Each stage counts its steps, and averages its losses, by itself.
    private sealed class StepsOfStages(WorkProgress progress) : IProgress<TrainingProgress>
    {
        private StepProgress _stage = new(progress);

        public void Report(TrainingProgress value)
        {
            if (value.Step == 1) _stage = new StepProgress(progress);
            _stage.Report(value);
        }
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

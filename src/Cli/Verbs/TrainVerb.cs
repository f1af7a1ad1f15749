using System.CommandLine;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Training;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora train: fine-tunes a classifier, or (pre)trains an encoder on running text.</summary>
internal sealed class TrainVerb
{
    private const string Classify = "classify";
    private const string Masked = "masked";
    private const string Lora = "lora";
    private const string Full = "full";
    private const int DefaultSeed = 1;

    private static readonly Dictionary<string, LoraInitialization> Initializations = new()
    {
        ["kaiming-uniform"] = LoraInitialization.KaimingUniform,
        ["gaussian"] = LoraInitialization.Gaussian,
        ["orthogonal"] = LoraInitialization.Orthogonal,
    };

    private readonly Option<string?> _task = VerbOptions.Choice(
        "--task", "classify: text classification. masked: masked language modeling.", Classify, Masked);
    private readonly Option<string?> _base = VerbOptions.Path(
        "--base", "What to start from: a checkpoint folder, mini-encoder, or new:CONFIG.json for random weights (with --tokenizer).", "B");
    private readonly Option<string?> _initial = VerbOptions.Path(
        "--initial", "classify: go on from a model that train --out wrote; its base, method and adapter are taken where they are not given.", "M.mlnet");
    private readonly Option<string?> _tokenizer = VerbOptions.Path(
        "--tokenizer", "With --base new:CONFIG.json: a folder with the tokenizer's files.", "DIR");
    private readonly Option<string> _data = VerbOptions.Required(
        "--data", "Training data: TSV or CSV with a header line; for masked without --text, plain text in which a blank line ends a document.", "F");
    private readonly Option<string?> _validation = VerbOptions.Path("--validation", "Judges each epoch; same form as --data.", "F");
    private readonly Option<string?> _test = VerbOptions.Path("--test", "Measures the finished model; same form as --data.", "F");
    private readonly Option<string?> _label = VerbOptions.Path("--label", "classify: the column with the class.", "C");
    private readonly Option<string?> _text = VerbOptions.Path("--text", "The column with the text.", "C");
    private readonly Option<string?> _textPair = VerbOptions.Path(
        "--text-pair", "classify: the column with the second text of a pair.", "C");
    private readonly Option<char?> _delimiter = VerbOptions.Delimiter();
    private readonly Option<int?> _limit = VerbOptions.Number<int>(
        "--limit", "Use only the first N rows (lines of plain text) of --data.", least: 1);
    private readonly Option<string?> _method = VerbOptions.Choice(
        "--method", "lora: low-rank corrections beside frozen weights (default for classify). full: all weights (the only one for masked).", Lora, Full);
    private readonly Option<int?> _rank = VerbOptions.Number<int>("--rank", "lora: inner dimension of the corrections (default 8).");
    private readonly Option<double?> _alpha = VerbOptions.Number<double>(
        "--alpha", "lora: corrections count alpha / rank (default twice the rank).");
    private readonly Option<double?> _loraDropout = VerbOptions.Number<double>(
        "--lora-dropout", "lora: share of the corrections' inputs dropped in training (default 0).");
    private readonly Option<string?> _loraInitialization = VerbOptions.Choice(
        "--lora-init", "lora: how A begins (default kaiming-uniform); B begins at zero.", [.. Initializations.Keys]);
    private readonly Option<bool> _freezeA = VerbOptions.Flag("--freeze-a", "lora: train B only; A stays as it was drawn.");
    private readonly Option<string?> _targets = VerbOptions.Path(
        "--targets", "lora: all-linear (default), or names of linear maps separated by commas, as the checkpoint names them.", "NAME,…");
    private readonly Option<int?> _epochs = VerbOptions.Number<int>(
        "--epochs", "Passes over the data (default 10 for classify, fewer when validation stops improving; 1 for masked).");
    private readonly Option<int?> _batchSize = VerbOptions.Number<int>("--batch-size", "Rows or windows in one step (default 32).");
    private readonly Option<double?> _learningRate = VerbOptions.Number<double>(
        "--learning-rate", "Peak learning rate (default: what the base recommends).");
    private readonly Option<int?> _maxTokens = VerbOptions.Number<int>(
        "--max-tokens", "Longer rows are cut to, text is windowed by, this many tokens (default 128).");
    private readonly Option<string?> _schedule = VerbOptions.Choice(
        "--schedule", "How the learning rate falls after warm-up (default linear).", "linear", "cosine", "constant");
    private readonly Option<double?> _warmup = VerbOptions.Number<double>(
        "--warmup", "Share of the steps over which the learning rate rises (default 0.06).");
    private readonly Option<double?> _weightDecay = VerbOptions.Number<double>(
        "--weight-decay", "How fast matrices shrink by themselves, per step and learning rate (default 0 for classify, 0.01 for masked).");
    private readonly Option<int?> _accumulation = VerbOptions.Number<int>(
        "--gradient-accumulation", "Batches whose gradients make one step (default 1).");
    private readonly MaskedTrainOptions _ofMasked = new();
    private readonly Option<string?> _out = VerbOptions.Path(
        "--out", "classify: the model file to write, M.mlnet. masked: the checkpoint folder to write.");
    private readonly Option<string?> _adapterOut = VerbOptions.Path(
        "--adapter-out", "lora: a folder for the adapter in PEFT's files, classification head included. An adapter in it is replaced.", "DIR");
    private readonly Option<int?> _seed = VerbOptions.Seed();
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private TrainVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new TrainVerb(terminal);
        verb._task.Required = true;
        var command = new Command("train", "Fine-tune a text classifier, or (pre)train an encoder on running text.")
        {
            verb._task, verb._base, verb._initial, verb._tokenizer, verb._data, verb._validation, verb._test, verb._label, verb._text, verb._textPair, verb._delimiter,
            verb._limit, verb._method, verb._rank, verb._alpha, verb._loraDropout, verb._loraInitialization, verb._freezeA, verb._targets,
            verb._epochs, verb._batchSize, verb._learningRate, verb._maxTokens, verb._schedule, verb._warmup, verb._weightDecay,
            verb._accumulation, verb._out, verb._adapterOut, verb._seed, verb._device, verb._json,
        };
        foreach (var option in verb._ofMasked.All) command.Add(option);
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private Option[] ShapeOfLora => [_rank, _alpha, _loraDropout, _loraInitialization, _freezeA, _targets];

    private Option[] OfLora => [.. ShapeOfLora, _adapterOut];

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var isMasked = parsed.GetValue(_task) == Masked;
        RefuseOptionsOfOthers(parsed, isMasked);
        RequireAStart(parsed, isMasked);
        TorchNativeLibrary.EnsureLoaded();
        VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        if (isMasked) new MaskedTraining(ReadMasked(parsed), _terminal).Run(cancellation);
        else new ClassifyTraining(ReadClassify(parsed), _terminal).Run(cancellation);
        return CommandLine.Done;
    }

    // An option without effect is a misunderstanding: better said than passed over.
    private void RefuseOptionsOfOthers(ParseResult parsed, bool isMasked)
    {
        if (isMasked && parsed.GetValue(_method) == Lora)
            throw new BadInputException("--method lora does not go with --task masked, which trains all weights; leave it out.");
        if (isMasked) Refuse([_initial, _label, _textPair, .. OfLora], $"--task {Masked}");
        else Refuse([.. _ofMasked.All], $"--task {Classify}");
        if (isMasked) _ofMasked.RefuseWithoutEffect(parsed, hasValidation: parsed.GetValue(_validation) is not null);
        if (parsed.GetValue(_method) == Full) Refuse(OfLora, $"--method {Full}");

        void Refuse(Option[] options, string given)
        {
            var foreign = options.Where(parsed.IsGiven).Select(option => option.Name).ToList();
            if (foreign.Count > 0) throw new BadInputException($"{string.Join(", ", foreign)} has no effect with {given}; leave it out.");
        }
    }

    private void RequireAStart(ParseResult parsed, bool isMasked)
    {
        if (parsed.GetValue(_base) is not null) return;
        if (isMasked || parsed.GetValue(_initial) is null)
            throw new BadInputException(
                $"--base is missing: a checkpoint folder, mini-encoder, or new:CONFIG.json{(isMasked ? "" : "; or go on from a trained model with --initial")}.");
        if (parsed.GetValue(_tokenizer) is not null)
            throw new BadInputException("--tokenizer has no effect without --base: the initial model brings its own; leave it out.");
    }

    private ClassifySettings ReadClassify(ParseResult parsed)
    {
        var takesInitials = parsed.GetValue(_initial) is not null && !ShapeOfLora.Any(parsed.IsGiven);
        var lora = new LoraOptions
        {
            Alpha = parsed.GetValue(_alpha),
            Dropout = parsed.GetValue(_loraDropout) ?? 0,
            Initialization = parsed.GetValue(_loraInitialization) is { } word ? Initializations[word] : default,
            FreezesA = parsed.GetValue(_freezeA),
        };
        if (parsed.GetValue(_rank) is { } rank) lora = lora with { Rank = rank };
        if (parsed.GetValue(_targets) is { } targets)
            lora = lora with { TargetModules = targets.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) };
        var defaults = new TextClassificationOptions();
        return new ClassifySettings(
            parsed.GetValue(_base), parsed.GetValue(_tokenizer), parsed.GetValue(_initial), parsed.GetValue(_data)!,
            parsed.GetValue(_validation), parsed.GetValue(_test), parsed.GetValue(_label), parsed.GetValue(_text), parsed.GetValue(_textPair), parsed.GetValue(_delimiter), parsed.GetValue(_limit),
            parsed.GetValue(_method) switch { Full => FineTuningMethod.Full, Lora => FineTuningMethod.Lora, _ => null },
            takesInitials ? null : lora,
            parsed.GetValue(_out), parsed.GetValue(_adapterOut), parsed.GetValue(_json),
            defaults with
            {
                MaxEpochs = parsed.GetValue(_epochs) ?? defaults.MaxEpochs,
                BatchSize = parsed.GetValue(_batchSize) ?? defaults.BatchSize,
                LearningRate = parsed.GetValue(_learningRate),
                MaxTokens = parsed.GetValue(_maxTokens),
                Schedule = ReadSchedule(parsed) ?? defaults.Schedule,
                WarmupRatio = parsed.GetValue(_warmup) ?? defaults.WarmupRatio,
                WeightDecay = parsed.GetValue(_weightDecay) ?? defaults.WeightDecay,
                GradientAccumulationSteps = parsed.GetValue(_accumulation) ?? defaults.GradientAccumulationSteps,
                Seed = parsed.GetValue(_seed) ?? DefaultSeed,
                Device = VerbOptions.DeviceOption(parsed.GetValue(_device)!),
            });
    }

    private MaskedSettings ReadMasked(ParseResult parsed)
    {
        var defaults = new MaskedLanguageModelOptions();
        return new MaskedSettings(
            parsed.GetValue(_base)!, parsed.GetValue(_tokenizer), parsed.GetValue(_data)!, parsed.GetValue(_validation), parsed.GetValue(_test),
            parsed.GetValue(_text), parsed.GetValue(_delimiter), parsed.GetValue(_limit), _ofMasked.InBFloat16(parsed),
            parsed.GetValue(_out), parsed.GetValue(_json),
            _ofMasked.Read(parsed, defaults with
            {
                MaxEpochs = parsed.GetValue(_epochs),
                BatchSize = parsed.GetValue(_batchSize) ?? defaults.BatchSize,
                LearningRate = parsed.GetValue(_learningRate),
                MaxTokens = parsed.GetValue(_maxTokens),
                Schedule = ReadSchedule(parsed) ?? defaults.Schedule,
                WarmupRatio = parsed.GetValue(_warmup) ?? defaults.WarmupRatio,
                WeightDecay = parsed.GetValue(_weightDecay) ?? defaults.WeightDecay,
                GradientAccumulationSteps = parsed.GetValue(_accumulation) ?? defaults.GradientAccumulationSteps,
                Seed = parsed.GetValue(_seed) ?? DefaultSeed,
                Device = VerbOptions.DeviceOption(parsed.GetValue(_device)!),
            }));
    }

    private LearningRateSchedule? ReadSchedule(ParseResult parsed) =>
        parsed.GetValue(_schedule) is { } word ? Enum.Parse<LearningRateSchedule>(word, ignoreCase: true) : null;
}

using System.CommandLine;
using System.Globalization;
using MLNetLoRA.Cli.Balancing;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Rescaling;
using MLNetLoRA.Cli.Spectra;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora rescale: multiplies intruder dimensions by a factor, does what is to be compared with that, or balances the change with what was there before.</summary>
internal sealed class RescaleVerb
{
    private static readonly Dictionary<string, RescalingMatch> Matches = new()
    {
        ["distance"] = RescalingMatch.Distance,
        ["norm"] = RescalingMatch.Norm,
        ["factor"] = RescalingMatch.Factor,
    };

    private const string Exact = "exact";
    private const int BatchSize = 32;

    private static readonly Dictionary<string, RescalingKind> Kinds = new()
    {
        ["top"] = RescalingKind.Top,
        ["all"] = RescalingKind.All,
        ["neighbour"] = RescalingKind.Neighbour,
        ["uniform"] = RescalingKind.Uniform,
        ["uniform-global"] = RescalingKind.UniformGlobal,
    };

    private readonly ChangeInputs _inputs = new();
    private readonly SpectralOptions _spectral = new();
    private readonly BalanceArguments _balance = new();
    private readonly Option<double?> _scale = VerbOptions.Number<double>(
        "--scale", "The factor: 1 leaves an intruder as it is, 0 removes it, above 1 amplifies it. Needed unless balancing.", least: 0);
    private readonly Option<string?> _which = VerbOptions.Choice(
        "--which",
        "top (default): the first intruder of each matrix. all: every intruder. Controls: neighbour, the pretrained direction next to it; "
        + "uniform, the whole change of each matrix, moved as far as all its intruders would be; uniform-global, one factor for all matrices. "
        + "balance: no factor, but what disturbs --texts taken out of the change, and what --task needs kept.",
        [.. Kinds.Keys, BalanceArguments.Which]);
    private readonly Option<string?> _match = VerbOptions.Choice(
        "--match",
        "uniform, uniform-global: what is made equal, the distance moved (default) or the norm of the change left; factor: --scale itself multiplies the change.",
        [.. Matches.Keys]);
    private readonly Option<string?> _rank = Rank();
    private readonly Option<string> _out = VerbOptions.Required(
        "--out",
        "The folder to write: with --adapter an adapter in PEFT's files, with --tuned a checkpoint of the same files, with --model what fits its training, "
        + "an adapter after LoRA and else a checkpoint. A model in it is replaced.",
        "DIR");
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private RescaleVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new RescaleVerb(terminal);
        var command = new Command("rescale", "Scale intruder dimensions down (or up), or balance the change against what was known before, and write the model that results.");
        verb._inputs.AddTo(command);
        verb._spectral.AddTo(command);
        Option[] options = [verb._scale, verb._which, verb._match, verb._rank, .. verb._balance.All, verb._out, verb._device, verb._json];
        foreach (var option in options) command.Add(option);
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_which) == BalanceArguments.Which) return Balance(parsed, cancellation);
        RefuseGiven(parsed, _balance.All);
        if (!parsed.IsGiven(_scale)) throw new BadInputException("--scale is missing: the factor of what is rescaled.");
        var (settings, rescaling, which) = (_spectral.ReadSingle(parsed), ReadRescaling(parsed), parsed.GetValue(_which) ?? "top");
        TorchNativeLibrary.EnsureLoaded();
        var device = VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        var (folder, json) = (parsed.GetValue(_out)!, parsed.GetValue(_json));
        OutputPaths.Check([("--json", json)], _inputs.Paths(parsed));
        OutputPaths.CheckApart("--out", folder, _inputs.Paths(parsed));
        OutputPaths.CheckFolder(folder);
        using var changes = _inputs.Open(parsed, device);
        var cache = _spectral.OpenCache(parsed);
        var summary = _terminal.Follow("Rescaling", progress =>
        {
            var spectra = new SpectrumPass(changes, settings, cache, device);
            var counter = new MatrixProgress(progress, "Rescaling", spectra.Names.Count * (RescalePass.LooksTwice(rescaling) ? 2 : 1));
            var pass = new RescalePass(spectra, rescaling, () => counter.Step(cancellation));
            pass.Prepare();
            var (matrices, form) = Write(changes, pass, ParseRank(parsed.GetValue(_rank)), folder);
            cache.Tell(progress);
            return new RescaleSummary(matrices, rescaling.Scale, which, form, counter.Seconds, changes.Skipped);
        });
        JsonReport.Write(json, summary);
        _terminal.Show(summary.ToTable());
        return CommandLine.Done;
    }

    private int Balance(ParseResult parsed, CancellationToken cancellation)
    {
        RefuseGiven(parsed, [_scale, _match, .. _spectral.All]);
        var balancing = _balance.Read(parsed);
        TorchNativeLibrary.EnsureLoaded();
        var device = VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        var (folder, json) = (parsed.GetValue(_out)!, parsed.GetValue(_json));
        OutputPaths.Check([("--json", json)], [.. _inputs.Paths(parsed), .. _balance.Paths(parsed)]);
        OutputPaths.CheckApart("--out", folder, _inputs.Paths(parsed));
        OutputPaths.CheckFolder(folder);
        using var changes = _inputs.Open(parsed, device);
        var model = _inputs.OpenBase(parsed, changes);
        var (rows, windows) = (_balance.TaskRows(parsed, model), _balance.RetentionWindows(parsed, model));
        var summary = _terminal.Follow("Balancing", progress =>
        {
            progress.Say($"Running {rows.Count} rows of the task and {windows.Count} windows of text through {model.Name}");
            using var task = EncoderMoments.Collect(model, rows, BatchSize, device, cancellation.ThrowIfCancellationRequested);
            using var retention = EncoderMoments.Collect(model, windows, BatchSize, device, cancellation.ThrowIfCancellationRequested);
            var counter = new MatrixProgress(progress, "Balancing", changes.Names.Count);
            var pass = new BalancePass(changes, model, task, retention, balancing, device, () => counter.Step(cancellation));
            var (matrices, form) = Write(changes, pass, ParseRank(parsed.GetValue(_rank)), folder);
            return new BalanceSummary(
                matrices, balancing.Strength, BalanceArguments.Which, form, task.TokenCount, retention.TokenCount, counter.Seconds, pass.Skipped);
        });
        JsonReport.Write(json, summary);
        _terminal.Show(summary.ToTable());
        return CommandLine.Done;
    }

    private static (IReadOnlyList<BalancedMatrix>, string Form) Write(IWeightChanges changes, BalancePass pass, int? rank, string folder) => changes switch
    {
        CheckpointChanges checkpoints => (CheckpointBalancing.Write(pass, rank, replace => checkpoints.Write(folder, replace)), CheckpointRescaling.Form),
        AdapterChanges adapter => (AdapterBalancing.Write(pass, rank, factors => adapter.Write(folder, factors)), AdapterRescaling.Form),
        ClassifierChanges { IsLowRank: true } model => (AdapterBalancing.Write(pass, rank, factors => model.WriteAdapter(folder, factors)), AdapterRescaling.Form),
        ClassifierChanges model => (CheckpointBalancing.Write(pass, rank, replace => model.WriteCheckpoint(folder, replace)), CheckpointRescaling.Form),
        _ => throw new InvalidOperationException($"{changes.GetType().Name} cannot be written."),
    };

    private void RefuseGiven(ParseResult parsed, IEnumerable<Option> options)
    {
        var given = options.Where(parsed.IsGiven).Select(option => option.Name).ToList();
        if (given.Count == 0) return;
        throw new BadInputException(
            $"{string.Join(" and ", given)} {(given.Count > 1 ? "have" : "has")} no effect with --which {parsed.GetValue(_which) ?? "top"}; leave {(given.Count > 1 ? "them" : "it")} out.");
    }

    private static (IReadOnlyList<RescaledMatrix>, string Form) Write(IWeightChanges changes, RescalePass pass, int? rank, string folder) => changes switch
    {
        CheckpointChanges checkpoints => (CheckpointRescaling.Write(pass, rank, replace => checkpoints.Write(folder, replace)), CheckpointRescaling.Form),
        AdapterChanges adapter => (AdapterRescaling.Write(pass, rank, factors => adapter.Write(folder, factors)), AdapterRescaling.Form),
        ClassifierChanges { IsLowRank: true } model => (AdapterRescaling.Write(pass, rank, factors => model.WriteAdapter(folder, factors)), AdapterRescaling.Form),
        ClassifierChanges model => (CheckpointRescaling.Write(pass, rank, replace => model.WriteCheckpoint(folder, replace)), CheckpointRescaling.Form),
        _ => throw new InvalidOperationException($"{changes.GetType().Name} cannot be written."),
    };

    private IntruderRescaling ReadRescaling(ParseResult parsed)
    {
        var kind = Kinds[parsed.GetValue(_which) ?? "top"];
        if (parsed.IsGiven(_match) && kind is not (RescalingKind.Uniform or RescalingKind.UniformGlobal))
            throw new BadInputException($"--match has no effect with --which {parsed.GetValue(_which) ?? "top"}; leave it out.");
        var rescaling = new IntruderRescaling
        {
            Kind = kind,
            Scale = parsed.GetValue(_scale)!.Value,
            Match = Matches[parsed.GetValue(_match) ?? "distance"],
        };
        return rescaling.Faults().ToList() is { Count: > 0 } faults ? throw new BadInputException(OptionNames.AsTyped(string.Join(' ', faults))) : rescaling;
    }

    private static Option<string?> Rank()
    {
        var option = new Option<string?>("--rank") { Description = "exact (default), or the rank that each change is cut to.", HelpName = "exact|N" };
        option.Validators.Add(result =>
        {
            var typed = result.Tokens[0].Value;
            if (typed != Exact && ParseRank(typed) is null) result.AddError($"--rank is '{typed}'; use {Exact}, or a whole number from 1.");
        });
        return option;
    }

    // Null for as many as it takes to be exact.
    private static int? ParseRank(string? typed) =>
        int.TryParse(typed, NumberStyles.None, CultureInfo.InvariantCulture, out var rank) && rank >= 1 ? rank : null;
}

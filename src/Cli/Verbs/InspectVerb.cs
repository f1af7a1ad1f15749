using System.CommandLine;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Spectra;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora inspect: which intruder dimensions fine-tuning left in a model.</summary>
internal sealed class InspectVerb
{
    private readonly ChangeInputs _inputs = new();
    private readonly SpectralOptions _spectral = new();
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private InspectVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new InspectVerb(terminal);
        var command = new Command("inspect", "Find intruder dimensions: leading singular vectors of fine-tuned matrices that no one of the base resembles.");
        verb._inputs.AddTo(command);
        verb._spectral.AddTo(command);
        command.Add(verb._device);
        command.Add(verb._json);
        command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (settings, json) = (_spectral.Read(parsed), parsed.GetValue(_json));
        TorchNativeLibrary.EnsureLoaded();
        var device = VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        OutputPaths.Check([("--json", json)], _inputs.Paths(parsed));
        using var changes = _inputs.Open(parsed, device);
        var cache = _spectral.OpenCache(parsed);
        var summary = _terminal.Follow("Inspecting", progress => Inspect(changes, settings, cache, device, progress, cancellation));
        JsonReport.Write(json, summary);
        _terminal.Show(InspectTable.Of(summary));
        return CommandLine.Done;
    }

    private static InspectSummary Inspect(
        IWeightChanges changes, SpectralSettings settings, SpectrumCache cache, Device device, WorkProgress progress, CancellationToken cancellation)
    {
        var pass = new SpectrumPass(changes, settings, cache, device);
        var counter = new MatrixProgress(progress, "Inspecting", pass.Names.Count);
        var matrices = new List<MatrixFinding>();
        foreach (var name in pass.Names)
        {
            matrices.Add(pass.Analyze(name, spectrum => MatrixFinding.Of(spectrum.Finding)));
            counter.Step(cancellation);
        }
        var (seconds, most) = (counter.Seconds, settings.TopK.Max());
        var narrow = matrices.Count(matrix => Math.Min(matrix.Rows, matrix.Columns) < most);
        if (narrow > 0) progress.Say($"--top-k {most} is more than {narrow} of the {matrices.Count} matrices have singular values; of those all are judged.");
        cache.Tell(progress);
        var (method, side) = SpectralOptions.AsTyped(settings);
        return new InspectSummary(
            matrices, InspectTotals.Of(matrices, seconds, cache.FoundCount),
            new InspectSettings(settings.TopK, settings.Epsilon, method, side, device.ToString()), changes.Skipped);
    }
}

using System.CommandLine;
using MLNetLoRA.Bench.Output;
using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Intruders;

/// <summary><c>bench -- spectral</c>.</summary>
internal static class SpectralCommand
{
    private static readonly Shape Large = new(4096, 4096);

    public static Command Create()
    {
        var shapes = Shape.Option("--shapes", new Shape(768, 768), new Shape(1024, 1024), new Shape(3072, 768), new Shape(768, 3072));
        var large = new Option<bool>("--large") { Description = "4096x4096 too; takes half an hour." };
        var repetitions = new Option<int>("--repetitions") { Description = "Counted runs of each; the median is reported.", DefaultValueFactory = _ => 5 };
        repetitions.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 1) result.AddError("--repetitions: 1 or more.");
        });
        var baseFile = new Option<string?>("--base") { Description = "A .safetensors file: its matrices instead of made ones, with --tuned." };
        var tunedFile = new Option<string?>("--tuned") { Description = "A .safetensors file with the same matrices after fine-tuning." };
        var json = new Option<string?>("--json") { Description = "Write the rows to PATH." };
        var command = new Command("spectral", "Intruder dimensions: ours beside complete decompositions, on the same libtorch.")
        {
            shapes, large, repetitions, baseFile, tunedFile, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(baseFile) is null != result.GetValue(tunedFile) is null) result.AddError("--base and --tuned go together.");
        });
        command.SetAction(parsed =>
        {
            var comparison = new Comparison(parsed.GetValue(repetitions));
            var rows = parsed.GetValue(baseFile) is { } stored
                ? OfFiles(comparison, stored, parsed.GetRequiredValue(tunedFile)!)
                : [.. parsed.GetRequiredValue(shapes).Concat(parsed.GetValue(large) ? [Large] : []).SelectMany(shape => OfShape(comparison, shape))];
            if (parsed.GetValue(json) is { } path) JsonFile.Write(path, rows);
            return 0;
        });
        return command;
    }

    private static IEnumerable<ComparisonRow> OfShape(Comparison comparison, Shape shape)
    {
        foreach (var make in (Func<Shape, ulong, MadeChange>[])[MadeChange.PowerLaw, MadeChange.Random])
        {
            using var made = make(shape, 7);
            using var scope = NewDisposeScope();
            var (weight, a, b) = (made.Weight, made.Change.A!, made.Change.B!);
            using var basis = BaseSpectrum.Compute(made.Name, weight);
            var (u0, _, _) = linalg.svd(weight, fullMatrices: false);
            Peers.Outcome Peft() => Peers.ThreeDecompositions(weight, a, b, Comparison.TopK, Comparison.Epsilon, Comparison.Scale);
            yield return Print(comparison.Measure(
                $"{made.Name}: cached, against three decompositions (PEFT)", () => Comparison.Truncated(made.Change, basis), Peft));
            yield return Print(comparison.Measure(
                $"{made.Name}: cold, against three decompositions (PEFT)", () => Cold(made.Change, Comparison.Truncated), Peft));
            yield return Print(comparison.Measure(
                $"{made.Name}: cached, against two decompositions (paper)", () => Comparison.Dense(made.Change, basis),
                () => Peers.TwoDecompositions(weight, weight + b.matmul(a), Comparison.TopK, Comparison.Epsilon, Comparison.Scale)));
            yield return Print(comparison.Measure(
                $"{made.Name}: cached, against one decomposition (base kept)", () => Comparison.Dense(made.Change, basis),
                () => Peers.OneDecomposition(u0, weight + b.matmul(a), Comparison.TopK, Comparison.Epsilon, Comparison.Scale)));
        }
    }

    private static List<ComparisonRow> OfFiles(Comparison comparison, string basePath, string tunedPath)
    {
        using var stored = SafetensorsFile.Open(basePath);
        using var fineTuned = SafetensorsFile.Open(tunedPath);
        var names = stored.Entries.Where(entry => entry.Value.Shape.Count == 2 && entry.Value.Shape.Min() > Comparison.TopK)
            .Select(entry => entry.Key).Where(fineTuned.Entries.ContainsKey).Order(StringComparer.Ordinal).ToList();
        return [.. names.SelectMany(name => OfPair(comparison, name, stored, fineTuned))];
    }

    private static IEnumerable<ComparisonRow> OfPair(Comparison comparison, string name, SafetensorsFile stored, SafetensorsFile fineTuned)
    {
        using var weight = stored.Read(name, float32);
        using var tuned = fineTuned.Read(name, float32);
        using var scope = NewDisposeScope();
        var change = WeightChange.Dense(name, weight, tuned);
        using var basis = BaseSpectrum.Compute(name, weight);
        var (u0, _, _) = linalg.svd(weight, fullMatrices: false);
        Peers.Outcome Paper() => Peers.TwoDecompositions(weight, tuned, Comparison.TopK, Comparison.Epsilon, Comparison.Scale);
        yield return Print(comparison.Measure($"{name}: cached, against two decompositions (paper)", () => Comparison.Dense(change, basis), Paper));
        yield return Print(comparison.Measure($"{name}: cold, against two decompositions (paper)", () => Cold(change, Comparison.Dense), Paper));
        yield return Print(comparison.Measure(
            $"{name}: cached, against one decomposition (base kept)", () => Comparison.Dense(change, basis),
            () => Peers.OneDecomposition(u0, tuned, Comparison.TopK, Comparison.Epsilon, Comparison.Scale)));
    }

    private static Comparison.Outcome Cold(WeightChange change, Func<WeightChange, BaseSpectrum, Comparison.Outcome> work)
    {
        using var basis = BaseSpectrum.Compute(change.Name, change.Base);
        return work(change, basis);
    }

    private static ComparisonRow Print(ComparisonRow row)
    {
        Console.WriteLine(
            $"{row.Name}: {row.OursMs:F1} ms against {row.PeerMs:F1} ms, {row.Ratio:F1}x; error {row.MaxError:E1}"
            + (row.SameIntruders ? "; " : ", OTHER INTRUDERS; ")
            + string.Join(", ", row.Decisions.Select(pair => $"{pair.Key} {pair.Value}")));
        return row;
    }
}

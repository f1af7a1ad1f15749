using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Adapters in PEFT's files: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
/// <remarks>Reads and writes LoRA on linear layers; anything else that changes the mathematics is refused by name.</remarks>
public static class PeftFolder
{
    private const string WeightsFileName = "adapter_model.safetensors";
    private const string PickleFileName = "adapter_model.bin";
    private const string Prefix = "base_model.model.";
    private const string DownSuffix = ".lora_A.weight";
    private const string UpSuffix = ".lora_B.weight";

    /// <summary>Reads an adapter.</summary>
    /// <param name="folder">Holds both files.</param>
    /// <param name="config">The base's architecture: it decides how a bare encoder's names are completed.</param>
    /// <param name="device">Where the tensors go, as float32.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged, the two contradict each other, or the adapter is of a kind not supported; all faults together.</exception>
    public static LoraAdapter Read(string folder, EncoderConfig config, Device device)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(device);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a folder with {PeftConfigJson.FileName} and {WeightsFileName}.");
        var peft = PeftConfigJson.Read(Existing(folder, PeftConfigJson.FileName));
        using var file = Checkpoint.Open(Existing(folder, WeightsFileName));
        var layout = Layout.Of(file, peft, config);
        if (layout.Faults.Count > 0) throw new InvalidDataException($"{file.Source}: {string.Join("; ", layout.Faults)}.");

        using var scope = NewDisposeScope();
        Tensor Take(string key) => file.ReadFinite(key, ScalarType.Float32, device);
        var factors = layout.Pairs.ToDictionary(pair => pair.Key, pair => new LoraFactors(Take(pair.Value.Down!), Take(pair.Value.Up!), peft.ScaleOf(pair.Key)));
        var trained = layout.FullyTrained.ToDictionary(pair => pair.Key, pair => Take(pair.Value));
        var adapter = new LoraAdapter(factors, trained);
        foreach (var (_, tensor) in adapter.Weights) tensor.DetachFromDisposeScope();
        return adapter;
    }

    /// <summary>Writes an adapter so that alpha / rank of each matrix is its own scale, whatever the ranks.</summary>
    /// <param name="folder">Created when missing; an adapter in it is replaced.</param>
    /// <param name="adapter">At least one changed matrix.</param>
    /// <param name="config">The base's architecture.</param>
    /// <param name="baseName">What the file says the base is: a name or a path.</param>
    /// <param name="dropout">What the adapter was trained with.</param>
    /// <exception cref="ArgumentException">The adapter changes no matrix.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static void Write(string folder, LoraAdapter adapter, EncoderConfig config, string baseName, double dropout = 0)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(baseName);
        if (adapter.Factors.Count == 0) throw new ArgumentException("The adapter changes no matrix; there is nothing to write.", nameof(adapter));
        Directory.CreateDirectory(folder);
        var (configPath, weightsPath) = (Path.Combine(folder, PeftConfigJson.FileName), Path.Combine(folder, WeightsFileName));
        AtomicFile.EnsureWritable(weightsPath);
        File.Delete(weightsPath);           // writing that is cut off leaves no adapter rather than a mixture of two

        var saved = adapter.FullyTrained.Keys.Select(key => ModuleToSave(key, config)).Distinct().Order(StringComparer.Ordinal).ToList();
        AtomicFile.Write(configPath, stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
            PeftConfigJson.Write(json, adapter.Factors, dropout, saved, baseName, isClassifier: saved.Count > 0);
        });
        SafetensorsWriter.Write(
            weightsPath, [.. adapter.Weights.Select(pair => KeyValuePair.Create(Prefix + pair.Key, pair.Value))],
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    // PEFT replaces modules, not parameters: a head at the root ("classifier"), or a part of the encoder ("pooler").
    private static string ModuleToSave(string key, EncoderConfig config)
    {
        var inside = key.StartsWith($"{config.CheckpointPrefix}.", StringComparison.Ordinal) ? key[(config.CheckpointPrefix.Length + 1)..] : key;
        return inside.Split('.')[0];
    }

    private static string Existing(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (File.Exists(path)) return path;
        throw new InvalidDataException(name == WeightsFileName && File.Exists(Path.Combine(folder, PickleFileName))
            ? $"{folder}: the adapter is in '{PickleFileName}', a Python pickle, which can run any program and is never opened here; "
                + "save it again with PEFT's save_pretrained(…, safe_serialization=True)."
            : $"{folder}: there is no {name}; a PEFT adapter has {PeftConfigJson.FileName} and {WeightsFileName}.");
    }

    /// <summary>Which tensor of the file is what.</summary>
    private sealed record Layout(
        Dictionary<string, (string? Down, string? Up)> Pairs, Dictionary<string, string> FullyTrained, List<string> Faults)
    {
        public static Layout Of(Checkpoint file, PeftConfig peft, EncoderConfig config)
        {
            var layout = new Layout([], [], []);
            foreach (var key in file.Entries.Keys.Order(StringComparer.Ordinal)) layout.Sort(key, peft, config);
            foreach (var (module, pair) in layout.Pairs) layout.Check(module, pair, file, peft);
            if (layout.Pairs.Count == 0 && layout.Faults.Count == 0) layout.Faults.Add("there is no pair of lora_A and lora_B");
            return layout;
        }

        private void Sort(string fileKey, PeftConfig peft, EncoderConfig config)
        {
            if (!fileKey.StartsWith(Prefix, StringComparison.Ordinal))
            {
                Faults.Add($"{MessageText.Quote(fileKey)} does not begin with '{Prefix}'");
                return;
            }
            var key = CheckpointKeys.Canonical(fileKey[Prefix.Length..], config);
            if (key is null) return;
            if (key.EndsWith(DownSuffix, StringComparison.Ordinal)) Add(key[..^DownSuffix.Length], (fileKey, null), fileKey);
            else if (key.EndsWith(UpSuffix, StringComparison.Ordinal)) Add(key[..^UpSuffix.Length], (null, fileKey), fileKey);
            else if (key.Contains(".lora_", StringComparison.Ordinal)) Faults.Add($"{MessageText.Quote(fileKey)} is a part of LoRA that is not supported");
            else if (!peft.Saves(key)) Faults.Add($"{MessageText.Quote(fileKey)} is neither a LoRA factor nor in modules_to_save");
            else if (!FullyTrained.TryAdd(key, fileKey)) Faults.Add($"{MessageText.Quote(fileKey)} is there twice, under two spellings");
        }

        private void Add(string module, (string? Down, string? Up) found, string fileKey)
        {
            var (down, up) = Pairs.GetValueOrDefault(module);
            if ((found.Down is not null && down is not null) || (found.Up is not null && up is not null))
                Faults.Add($"{MessageText.Quote(fileKey)} is there twice, under two spellings");
            Pairs[module] = (found.Down ?? down, found.Up ?? up);
        }

        private void Check(string module, (string? Down, string? Up) pair, Checkpoint file, PeftConfig peft)
        {
            if (pair is not ({ } down, { } up))
            {
                Faults.Add($"{MessageText.Quote(module)} has {(pair.Down is null ? "no lora_A" : "no lora_B")}");
                return;
            }
            var (a, b, rank) = (file.Entries[down], file.Entries[up], peft.RankOf(module));
            if (a.Shape.Count != 2 || b.Shape.Count != 2 || a.Shape[0] != b.Shape[1] || a.ElementCount == 0 || b.ElementCount == 0)
                Faults.Add($"{MessageText.Quote(module)} has lora_A {a.ShapeText} and lora_B {b.ShapeText}; (rank, in) and (out, rank) were wanted");
            else if (a.Shape[0] != rank)
                Faults.Add($"{MessageText.Quote(module)} has rank {a.Shape[0]}, {PeftConfigJson.FileName} says {rank}");
        }
    }
}

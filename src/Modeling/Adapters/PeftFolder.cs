using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Adapters in PEFT's files: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
/// <remarks>Reads and writes LoRA on linear layers; anything else that changes the mathematics is refused by name.</remarks>
public static class PeftFolder
{
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
        return Read(folder, key => CheckpointKeys.Canonical(key, config), device);
    }

    /// <summary>Reads an adapter of a decoder.</summary>
    /// <inheritdoc cref="Read(string, EncoderConfig, Device)"/>
    public static LoraAdapter Read(string folder, DecoderConfig config, Device device)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(device);
        return Read(folder, DecoderKeys.Canonical, device);
    }

    private static LoraAdapter Read(string folder, Func<string, string?> spelling, Device device)
    {
        using var file = PeftFile.Open(folder, spelling);
        using var scope = NewDisposeScope();
        var factors = file.Modules.ToDictionary(module => module, module => file.Read(module, ScalarType.Float32, device));
        var trained = file.FullyTrained.ToDictionary(key => key, key => file.ReadFullyTrained(key, ScalarType.Float32, device));
        var adapter = new LoraAdapter(factors, trained);
        foreach (var (_, tensor) in adapter.Weights) tensor.DetachFromDisposeScope();
        return adapter;
    }

    /// <summary>Writes an adapter so that alpha / rank of each matrix is its own scale, whatever the ranks.</summary>
    /// <remarks>The folder is complete, or nothing is written.</remarks>
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
        var saved = adapter.FullyTrained.Keys.Select(key => ModuleToSave(key, config)).Distinct().Order(StringComparer.Ordinal).ToList();
        WriteWhole(folder, adapter, saved, new PeftNotes(baseName, dropout, saved.Count > 0 ? "SEQ_CLS" : null));
    }

    /// <summary>Writes an adapter of a decoder.</summary>
    /// <inheritdoc cref="Write(string, LoraAdapter, EncoderConfig, string, double)"/>
    public static void Write(string folder, LoraAdapter adapter, DecoderConfig config, string baseName, double dropout = 0)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(baseName);
        // PEFT finds a module by the end of its name: "lm_head", "embed_tokens".
        var saved = adapter.FullyTrained.Keys.Select(key => key.Split('.')[^2]).Distinct().Order(StringComparer.Ordinal).ToList();
        WriteWhole(folder, adapter, saved, new PeftNotes(baseName, dropout, "CAUSAL_LM"));
    }

    /// <summary>Writes the adapter of a classifier.</summary>
    /// <param name="folder">Created when missing; an adapter in it is replaced.</param>
    /// <param name="adapter">At least one changed matrix.</param>
    /// <param name="classifier">Fine-tuned by LoRA; gives the base's architecture, what the file calls it, and the dropout.</param>
    /// <inheritdoc cref="Write(string, LoraAdapter, EncoderConfig, string, double)" path="/exception"/>
    public static void Write(string folder, LoraAdapter adapter, ClassifierDescription classifier)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        Write(folder, adapter, classifier.Base.Config, classifier.Base.Folder ?? classifier.Base.Name, classifier.Lora?.Dropout ?? 0);
    }

    /// <summary>Writes the two files for the adapter of a base of any architecture, into a folder that is there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="adapter">At least one changed matrix, named as PEFT names modules.</param>
    /// <param name="modulesToSave">The modules that hold what was trained in full.</param>
    /// <param name="notes">For the reader of the file.</param>
    internal static void WriteFiles(string folder, LoraAdapter adapter, IReadOnlyList<string> modulesToSave, PeftNotes notes)
    {
        AtomicFile.Write(Path.Combine(folder, PeftConfigJson.FileName), stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
            PeftConfigJson.Write(json, adapter.Factors, modulesToSave, notes);
        });
        SafetensorsWriter.Write(
            Path.Combine(folder, PeftFile.WeightsFileName), [.. adapter.Weights.Select(pair => KeyValuePair.Create(PeftFile.Prefix + pair.Key, pair.Value))],
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    private static void WriteWhole(string folder, LoraAdapter adapter, List<string> saved, PeftNotes notes)
    {
        if (adapter.Factors.Count == 0) throw new ArgumentException("The adapter changes no matrix; there is nothing to write.", nameof(adapter));
        AtomicFolder.Write(folder, [PeftFile.WeightsFileName], stage => WriteFiles(stage, adapter, saved, notes));
    }

    // PEFT replaces modules, not parameters: a head at the root ("classifier"), or a part of the encoder ("pooler").
    private static string ModuleToSave(string key, EncoderConfig config)
    {
        var inside = key.StartsWith($"{config.CheckpointPrefix}.", StringComparison.Ordinal) ? key[(config.CheckpointPrefix.Length + 1)..] : key;
        return inside.Split('.')[0];
    }
}

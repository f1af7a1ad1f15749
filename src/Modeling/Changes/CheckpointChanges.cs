using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What lies between two checkpoints of one model, of any architecture and by any tool: matrices of equal keys.</summary>
/// <remarks>
/// Linear maps are measured, equal ones too; embeddings, heads, vectors and whatever else is no matrix are listed as skipped. Only headers
/// are read before a matrix is asked for. Thread-safe.
/// </remarks>
public sealed class CheckpointChanges : IWeightChanges
{
    private readonly Checkpoint _base;
    private readonly Checkpoint _tuned;
    private readonly string _tunedPath;
    private readonly Dictionary<string, (string Base, string Tuned)> _keys;

    private CheckpointChanges(Checkpoint baseCheckpoint, Checkpoint tuned, string tunedPath)
    {
        (_base, _tuned, _tunedPath) = (baseCheckpoint, tuned, tunedPath);
        var pairs = Pairs();
        var skipped = new Dictionary<string, string>(StringComparer.Ordinal);
        _keys = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        var faults = new List<string>();
        foreach (var (key, pair) in pairs)
        {
            var reason = MatrixKeys.WhySkipped((pair.Tuned ?? pair.Base)!);
            if (pair is not ({ } before, { } after)) skipped.Add(key, $"{reason ?? "constant"}, only in the {(pair.Base is null ? "tuned checkpoint" : "base")}");
            else if (reason is not null) skipped.Add(key, reason);
            else if (!before.Shape.SequenceEqual(after.Shape))
                faults.Add($"{MessageText.Quote(key)} is {before.ShapeText} in the base and {after.ShapeText} in the tuned checkpoint");
            else if (MatrixKeys.WhySkipped(before) is { } baseReason) faults.Add($"{MessageText.Quote(key)} in the base: {baseReason}");
            else _keys.Add(NameOf(key, pairs), (before.Name, after.Name));
        }
        if (faults.Count > 0) throw new InvalidDataException($"{tuned.Source}: {MessageText.Some(faults)}. Compare checkpoints of one model.");
        if (_keys.Count == 0) throw new InvalidDataException($"{tuned.Source}: none of its {tuned.Entries.Count} tensors is a linear map that can be measured.");
        (Names, Skipped) = ([.. _keys.Keys.Order(NaturalOrder.Instance)], skipped);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Skipped { get; }

    /// <summary>Opens both.</summary>
    /// <param name="basePath">The model before fine-tuning: a checkpoint folder or a .safetensors file.</param>
    /// <param name="tunedPath">The model after fine-tuning, likewise.</param>
    /// <exception cref="DirectoryNotFoundException">There is nothing at a path.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, a tensor is on one side only, or shapes differ; the message lists the tensors. Heads may be on one side only.
    /// </exception>
    public static CheckpointChanges Open(string basePath, string tunedPath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(tunedPath);
        var baseCheckpoint = Checkpoint.Open(basePath);
        Checkpoint? tuned = null;
        try
        {
            tuned = Checkpoint.Open(tunedPath);
            return new CheckpointChanges(baseCheckpoint, tuned, tunedPath);
        }
        catch
        {
            baseCheckpoint.Dispose();
            tuned?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public OwnedWeightChange Open(string name, Device device)
    {
        var keys = _keys[name];
        using var scope = NewDisposeScope();
        var before = _base.ReadFinite(keys.Base, device: device);
        var after = _tuned.ReadFinite(keys.Tuned, device: device);
        return new OwnedWeightChange(WeightChange.Dense(name, before, after), before.DetachFromDisposeScope(), after.DetachFromDisposeScope());
    }

    /// <summary>Writes the tuned checkpoint with other values for some matrices; everything else, other files of a folder included, stays as it is.</summary>
    /// <remarks>Shards stay shards. One matrix is in memory at a time. The folder is complete, or nothing is written.</remarks>
    /// <param name="folder">Created when missing; a model in it is replaced. A single file becomes model.safetensors in it.</param>
    /// <param name="replace">
    /// Asked once for each of <see cref="Names"/>, in the order of the file: a matrix of the stored shape and element type, which is disposed
    /// here, or null to keep what is stored, to the bit.
    /// </param>
    /// <exception cref="ArgumentException">A replacement has another shape or element type.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="IOException">The folder cannot be written, for example on a full disk.</exception>
    public void Write(string folder, Func<string, Tensor?> replace)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(replace);
        var names = _keys.ToDictionary(pair => pair.Value.Tuned, pair => pair.Key, StringComparer.Ordinal);
        CheckpointCopy.Write(_tuned, _tunedPath, folder, key => names.TryGetValue(key, out var name) ? replace(name) : null);
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        _base.Dispose();
        _tuned.Dispose();
    }

    private static string NameOf(string key, Dictionary<string, (SafetensorsEntry?, SafetensorsEntry?)> pairs) =>
        // A key that only differs by ".weight" from another keeps it.
        MatrixKeys.NameOf(key) is var name && name != key && pairs.ContainsKey(name) ? key : name;

    private Dictionary<string, (SafetensorsEntry? Base, SafetensorsEntry? Tuned)> Pairs()
    {
        var before = BySpelling(_base);
        var after = BySpelling(_tuned);
        var absent = new[] { Absent(after, before, _base, "tuned checkpoint"), Absent(before, after, _tuned, "base") }.OfType<string>().ToList();
        if (absent.Count > 0) throw new InvalidDataException($"{string.Join("; ", absent)}. Compare checkpoints of one model.");
        return before.Keys.Union(after.Keys).ToDictionary(
            key => key, key => (before.GetValueOrDefault(key), after.GetValueOrDefault(key)), StringComparer.Ordinal);
    }

    private static Dictionary<string, SafetensorsEntry> BySpelling(Checkpoint checkpoint)
    {
        var entries = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        foreach (var (key, entry) in checkpoint.Entries)
            if (!entries.TryAdd(NormKeys.Today(key), entry))
                throw new InvalidDataException($"{checkpoint.Source}: {MessageText.Quote(key)} is there twice, under two spellings.");
        return entries;
    }

    // What one side has and the other lacks.
    private static string? Absent(Dictionary<string, SafetensorsEntry> here, Dictionary<string, SafetensorsEntry> there, Checkpoint lacking, string other)
    {
        var names = here.Where(pair => !there.ContainsKey(pair.Key) && !MatrixKeys.MayBeMissing(pair.Value))
            .Select(pair => pair.Value.Name).Order(NaturalOrder.Instance).ToList();
        return names.Count == 0 ? null : $"{lacking.Source}: lacks {names.Count} tensor{(names.Count == 1 ? "" : "s")} of the {other}: {MessageText.List(names)}";
    }
}

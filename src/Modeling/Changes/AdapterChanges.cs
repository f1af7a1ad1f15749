using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What a LoRA adapter does to a base of any architecture: its matrices beside the adapter's factors.</summary>
/// <remarks>
/// Modules are found in the base by their name, with or without the prefix of either. Only headers are read before a matrix is asked for.
/// Thread-safe.
/// </remarks>
public sealed class AdapterChanges : IWeightChanges
{
    private readonly Checkpoint _base;
    private readonly PeftFile _adapter;
    private readonly string _folder;
    private readonly Dictionary<string, (string Key, string Module)> _matrices;

    private AdapterChanges(Checkpoint baseCheckpoint, PeftFile adapter, string folder)
    {
        (_base, _adapter, _folder) = (baseCheckpoint, adapter, folder);
        if (adapter.Config.IsBaseTransposed)
            throw new InvalidDataException(
                $"{adapter.Source}: fan_in_fan_out is set: this base stores its matrices as (in, out), which is not supported. Merge the adapter and compare two checkpoints.");
        var modules = AdapterModules.ByBaseKey(adapter, baseCheckpoint);
        var skipped = adapter.FullyTrained.ToDictionary(key => key, _ => "trained in full");
        _matrices = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        foreach (var (key, module) in modules)
        {
            if (MatrixKeys.WhySkipped(baseCheckpoint.Entries[key]) is { } reason) skipped[key] = reason;
            else _matrices.Add(MatrixKeys.NameOf(key), (key, module));
        }
        if (_matrices.Count == 0) throw new InvalidDataException($"{adapter.Source}: it changes no linear map that can be measured, only {MessageText.List(skipped.Keys)}.");
        (Names, Skipped) = ([.. _matrices.Keys.Order(NaturalOrder.Instance)], skipped);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Skipped { get; }

    /// <summary>Opens both.</summary>
    /// <param name="basePath">The adapter's base: a checkpoint folder or a .safetensors file.</param>
    /// <param name="adapterFolder">PEFT's files.</param>
    /// <exception cref="DirectoryNotFoundException">There is nothing at a path.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged, the adapter is of a kind not supported, or it does not fit the base; the message says all that does not.</exception>
    public static AdapterChanges Open(string basePath, string adapterFolder) => Open(Checkpoint.Open(basePath), adapterFolder);

    /// <summary>Opens an adapter beside a base that is open.</summary>
    /// <param name="baseCheckpoint">The base; closed with what is returned, or when this throws.</param>
    /// <param name="adapterFolder">PEFT's files.</param>
    /// <inheritdoc cref="Open(string, string)" path="/exception"/>
    public static AdapterChanges Open(Checkpoint baseCheckpoint, string adapterFolder)
    {
        ArgumentNullException.ThrowIfNull(baseCheckpoint);
        PeftFile? adapter = null;
        try
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(adapterFolder);
            adapter = PeftFile.Open(adapterFolder, key => key);
            return new AdapterChanges(baseCheckpoint, adapter, adapterFolder);
        }
        catch
        {
            baseCheckpoint.Dispose();
            adapter?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public OwnedWeightChange Open(string name, Device device)
    {
        var (key, module) = _matrices[name];
        using var scope = NewDisposeScope();
        var before = _base.ReadFinite(key, device: device);
        var factors = _adapter.Read(module, dataType: null, device);
        var change = WeightChange.LowRank(name, before, factors.A, factors.B, factors.Scale);
        return new OwnedWeightChange(change, before.DetachFromDisposeScope(), factors.A.DetachFromDisposeScope(), factors.B.DetachFromDisposeScope());
    }

    /// <summary>Writes the adapter with other factors for some matrices; what was trained in full and the other files of its folder stay.</summary>
    /// <remarks>The folder is complete, or nothing is written. With no other factors at all its two files are copied to the byte.</remarks>
    /// <param name="folder">Created when missing; an adapter in it is replaced.</param>
    /// <param name="factors">By one of <see cref="Names"/>; of any rank. Matrices not named keep theirs, to the bit.</param>
    /// <exception cref="ArgumentException">A name is not one of the adapter's.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="IOException">The folder cannot be written, for example on a full disk.</exception>
    public void Write(string folder, IReadOnlyDictionary<string, LoraFactors> factors)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(factors);
        if (factors.Keys.Where(name => !_matrices.ContainsKey(name)).ToList() is { Count: > 0 } strangers)
            throw new ArgumentException($"The adapter changes no {MessageText.List(strangers)}.", nameof(factors));
        AtomicFolder.Write(folder, [PeftFile.WeightsFileName], stage =>
        {
            CompanionFiles.Copy(_folder, stage, factors.Count > 0 ? [PeftConfigJson.FileName] : []);
            if (factors.Count > 0) WriteChanged(stage, factors.ToDictionary(pair => _matrices[pair.Key].Module, pair => pair.Value));
            else File.Copy(Path.Combine(_folder, PeftFile.WeightsFileName), Path.Combine(stage, PeftFile.WeightsFileName));
        });
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        _base.Dispose();
        _adapter.Dispose();
    }

    private void WriteChanged(string folder, Dictionary<string, LoraFactors> byModule)
    {
        using var scope = NewDisposeScope();
        var all = _adapter.Modules.ToDictionary(module => module, module => byModule.GetValueOrDefault(module) ?? _adapter.Read(module, dataType: null, CPU));
        var trained = _adapter.FullyTrained.ToDictionary(key => key, key => _adapter.ReadFullyTrained(key, dataType: null, CPU));
        // Not disposed: what was read here goes with the scope, the factors given stay their owner's.
        var adapter = new LoraAdapter(all, trained);
        PeftFolder.WriteFiles(folder, adapter, _adapter.Config.ModulesToSave, _adapter.Config.Notes);
    }
}

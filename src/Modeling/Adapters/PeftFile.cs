using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>An adapter in PEFT's files, checked when it is opened; tensors are read when asked for.</summary>
/// <remarks>Thread-safe. Tensors that were read outlive it.</remarks>
internal sealed class PeftFile : IDisposable
{
    public const string WeightsFileName = "adapter_model.safetensors";
    public const string Prefix = "base_model.model.";

    private const string PickleFileName = "adapter_model.bin";
    private const string DownSuffix = ".lora_A.weight";
    private const string UpSuffix = ".lora_B.weight";

    private readonly Checkpoint _file;
    private readonly Dictionary<string, (string? Down, string? Up)> _pairs = [];
    private readonly Dictionary<string, string> _fullyTrained = [];
    private readonly List<string> _faults = [];

    private PeftFile(Checkpoint file, PeftConfig config, Func<string, string?> spelling)
    {
        (_file, Config) = (file, config);
        foreach (var key in file.Entries.Keys.Order(StringComparer.Ordinal)) Sort(key, spelling);
        foreach (var (module, pair) in _pairs) Check(module, pair);
        if (_pairs.Count == 0 && _faults.Count == 0) _faults.Add("there is no pair of lora_A and lora_B");
        if (_faults.Count > 0) throw new InvalidDataException($"{file.Source}: {string.Join("; ", _faults)}.");
    }

    /// <summary>What adapter_config.json says.</summary>
    public PeftConfig Config { get; }

    /// <summary>The path that messages start with.</summary>
    public string Source => _file.Source;

    /// <summary>The changed matrices, without ".weight".</summary>
    public IReadOnlyCollection<string> Modules => _pairs.Keys;

    /// <summary>The keys of what was trained in full.</summary>
    public IReadOnlyCollection<string> FullyTrained => _fullyTrained.Keys;

    /// <summary>Opens both files.</summary>
    /// <param name="folder">Holds them.</param>
    /// <param name="spelling">The key by which a tensor is known here, from its name without PEFT's prefix; null for one that is passed over.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged, the two contradict each other, or the adapter is of a kind not supported; all faults together.</exception>
    public static PeftFile Open(string folder, Func<string, string?> spelling)
    {
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a folder with {PeftConfigJson.FileName} and {WeightsFileName}.");
        var config = PeftConfigJson.Read(Existing(folder, PeftConfigJson.FileName));
        var file = Checkpoint.Open(Existing(folder, WeightsFileName));
        try
        {
            return new PeftFile(file, config, spelling);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The shape of the matrix that a module's factors change: (out, in).</summary>
    public (long Rows, long Columns) Changed(string module)
    {
        var (down, up) = _pairs[module];
        return (_file.Entries[up!].Shape[0], _file.Entries[down!].Shape[1]);
    }

    /// <summary>The inner dimension of a module's factors.</summary>
    public int RankOf(string module) => Config.RankOf(module);

    /// <summary>Reads the factors of a module; the caller disposes both.</summary>
    /// <param name="module">One of <see cref="Modules"/>.</param>
    /// <param name="dataType">The element type wanted; null: as stored.</param>
    /// <param name="device">Where they go.</param>
    /// <exception cref="InvalidDataException">A value is not finite.</exception>
    public LoraFactors Read(string module, ScalarType? dataType, Device device)
    {
        using var scope = NewDisposeScope();
        var (down, up) = _pairs[module];
        var factors = new LoraFactors(
            _file.ReadFinite(down!, dataType, device), _file.ReadFinite(up!, dataType, device), Config.ScaleOf(module));
        factors.A.MoveToOuterDisposeScope();
        factors.B.MoveToOuterDisposeScope();
        return factors;
    }

    /// <summary>Reads one of <see cref="FullyTrained"/>; the caller disposes it.</summary>
    /// <inheritdoc cref="Read" path="/exception"/>
    public Tensor ReadFullyTrained(string key, ScalarType? dataType, Device device) => _file.ReadFinite(_fullyTrained[key], dataType, device);

    public void Dispose() => _file.Dispose();

    private static string Existing(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (File.Exists(path)) return path;
        throw new InvalidDataException(name == WeightsFileName && File.Exists(Path.Combine(folder, PickleFileName))
            ? $"{folder}: the adapter is in '{PickleFileName}', a Python pickle, which can run any program and is never opened here; "
                + "save it again with PEFT's save_pretrained(…, safe_serialization=True)."
            : $"{folder}: there is no {name}; a PEFT adapter has {PeftConfigJson.FileName} and {WeightsFileName}.");
    }

    private void Sort(string fileKey, Func<string, string?> spelling)
    {
        if (!fileKey.StartsWith(Prefix, StringComparison.Ordinal))
        {
            _faults.Add($"{MessageText.Quote(fileKey)} does not begin with '{Prefix}'");
            return;
        }
        var key = spelling(fileKey[Prefix.Length..]);
        if (key is null) return;
        if (key.EndsWith(DownSuffix, StringComparison.Ordinal)) Add(key[..^DownSuffix.Length], (fileKey, null), fileKey);
        else if (key.EndsWith(UpSuffix, StringComparison.Ordinal)) Add(key[..^UpSuffix.Length], (null, fileKey), fileKey);
        else if (key.Contains(".lora_", StringComparison.Ordinal)) _faults.Add($"{MessageText.Quote(fileKey)} is a part of LoRA that is not supported");
        else if (!Config.Saves(key)) _faults.Add($"{MessageText.Quote(fileKey)} is neither a LoRA factor nor in modules_to_save");
        else if (!_fullyTrained.TryAdd(key, fileKey)) _faults.Add($"{MessageText.Quote(fileKey)} is there twice, under two spellings");
    }

    private void Add(string module, (string? Down, string? Up) found, string fileKey)
    {
        var (down, up) = _pairs.GetValueOrDefault(module);
        if ((found.Down is not null && down is not null) || (found.Up is not null && up is not null))
            _faults.Add($"{MessageText.Quote(fileKey)} is there twice, under two spellings");
        _pairs[module] = (found.Down ?? down, found.Up ?? up);
    }

    private void Check(string module, (string? Down, string? Up) pair)
    {
        if (pair is not ({ } down, { } up))
        {
            _faults.Add($"{MessageText.Quote(module)} has {(pair.Down is null ? "no lora_A" : "no lora_B")}");
            return;
        }
        var (a, b, rank) = (_file.Entries[down], _file.Entries[up], Config.RankOf(module));
        if (a.Shape.Count != 2 || b.Shape.Count != 2 || a.Shape[0] != b.Shape[1] || a.ElementCount == 0 || b.ElementCount == 0)
            _faults.Add($"{MessageText.Quote(module)} has lora_A {a.ShapeText} and lora_B {b.ShapeText}; (rank, in) and (out, rank) were wanted");
        else if (a.Shape[0] != rank)
            _faults.Add($"{MessageText.Quote(module)} has rank {a.Shape[0]}, {PeftConfigJson.FileName} says {rank}");
    }
}

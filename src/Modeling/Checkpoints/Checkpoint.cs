using TorchSharp;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>The weights of a Hugging Face checkpoint: one safetensors file, or several shards with an index.</summary>
/// <remarks>Thread safe. Nothing but headers is read until a tensor is asked for; tensors outlive the checkpoint.</remarks>
public sealed class Checkpoint : IDisposable
{
    /// <summary>The file name of a checkpoint in one piece.</summary>
    public const string FileName = "model.safetensors";

    private readonly Dictionary<string, SafetensorsFile> _fileOf;
    private readonly IReadOnlyCollection<SafetensorsFile> _files;

    private Checkpoint(
        string source, IReadOnlyCollection<SafetensorsFile> files, Dictionary<string, SafetensorsFile> fileOf, IReadOnlyList<string> unlisted)
    {
        Source = source;
        UnlistedTensors = unlisted;
        _files = files;
        _fileOf = fileOf;
        Entries = fileOf.ToDictionary(pair => pair.Key, pair => pair.Value.Entries[pair.Key], StringComparer.Ordinal);
    }

    /// <summary>The folder, file or name that messages start with.</summary>
    public string Source { get; }

    /// <summary>The tensors by name, across all shards.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; }

    /// <summary>Tensors that lie in a shard without being in the index, sorted; they are not part of <see cref="Entries"/>.</summary>
    public IReadOnlyList<string> UnlistedTensors { get; }

    /// <summary>Names of the files or streams that hold the tensors, without folders, sorted.</summary>
    public IReadOnlyList<string> FileNames => [.. _files.Select(file => Path.GetFileName(file.Source)).Order(StringComparer.Ordinal)];

    /// <summary>The file, or all shards.</summary>
    internal IReadOnlyCollection<SafetensorsFile> Files => _files;

    /// <summary>Opens a checkpoint folder, or a single safetensors file.</summary>
    /// <param name="path">A folder with <c>model.safetensors</c> or <c>model.safetensors.index.json</c> (the former wins), or a file.</param>
    /// <exception cref="DirectoryNotFoundException">There is nothing at <paramref name="path"/>.</exception>
    /// <exception cref="InvalidDataException">There are no safetensors weights, or they are not valid; the message starts with the path.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (File.Exists(path)) return OfOne(SafetensorsFile.Open(path));
        if (!Directory.Exists(path))
            throw new DirectoryNotFoundException($"{path}: there is no such folder; give a checkpoint folder with {FileName}.");

        var single = Path.Combine(path, FileName);
        if (File.Exists(single)) return OfOne(SafetensorsFile.Open(single));
        if (File.Exists(Path.Combine(path, ShardIndex.FileName))) return OpenSharded(path);
        throw new InvalidDataException(WithoutWeights(path));
    }

    /// <summary>Opens the weights in a seekable stream, an embedded resource for example.</summary>
    /// <param name="stream">One safetensors file, from the present position to the end.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="leaveOpen">Whether the stream stays open when the checkpoint is disposed.</param>
    /// <exception cref="InvalidDataException">The stream does not hold a valid safetensors file.</exception>
    public static Checkpoint Open(Stream stream, string name, bool leaveOpen = false) =>
        OfOne(SafetensorsFile.Open(stream, name, leaveOpen));

    /// <summary>Reads one tensor as it is; NaN and infinity pass.</summary>
    /// <inheritdoc cref="SafetensorsFile.Read"/>
    public Tensor Read(string name, ScalarType? dtype = null, Device? device = null) => FileOf(name).Read(name, dtype, device);

    /// <summary>Reads one tensor and refuses NaN and infinite values, those that a conversion brings included.</summary>
    /// <inheritdoc cref="SafetensorsFile.Read" path="/param"/>
    /// <returns>A new tensor without gradient; the caller disposes it.</returns>
    /// <exception cref="InvalidDataException">A value is not finite; the message names the tensor and counts the values.</exception>
    /// <exception cref="KeyNotFoundException">There is no such tensor.</exception>
    public Tensor ReadFinite(string name, ScalarType? dtype = null, Device? device = null)
    {
        using var scope = NewDisposeScope();
        var tensor = Read(name, dtype, device);
        if (!IsFinite(tensor))
        {
            var count = tensor.NumberOfElements - tensor.isfinite().count_nonzero().ToInt64();
            throw new InvalidDataException(
                $"{FileOf(name).Source}: {count} of the {tensor.NumberOfElements} values of tensor {MessageText.Quote(name)} are NaN or infinite "
                + $"({SafetensorsDataType.NameOf(Entries[name].DataType)} read as {tensor.dtype}); the weights are damaged or that type is too narrow.");
        }
        return tensor.MoveToOuterDisposeScope();
    }

    /// <summary>Whether the tensor called so is read from this file: another shard may hold a copy that the index does not name.</summary>
    internal bool IsReadFrom(SafetensorsFile file, string name) => _fileOf.GetValueOrDefault(name) == file;

    /// <summary>Hands the stored bytes of one tensor to <paramref name="visit"/>, in order, through a small buffer.</summary>
    internal void ForEachStretch(string name, Action<ReadOnlySpan<byte>> visit) => FileOf(name).ForEachStretch(name, visit);

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
    }

    private static Checkpoint OfOne(SafetensorsFile file) =>
        new(file.Source, [file], file.Entries.Keys.ToDictionary(name => name, _ => file, StringComparer.Ordinal), []);

    private static Checkpoint OpenSharded(string folder)
    {
        var indexPath = Path.Combine(folder, ShardIndex.FileName);
        var shardOf = ShardIndex.Read(indexPath);
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        try
        {
            foreach (var shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
                shards.Add(shard, OpenShard(folder, shard, indexPath));

            var absent = shardOf.Where(pair => !shards[pair.Value].Entries.ContainsKey(pair.Key)).Select(pair => pair.Key).ToList();
            if (absent.Count > 0)
                throw new InvalidDataException(
                    $"{indexPath}: {absent.Count} tensors are not in the shard that weight_map names: {MessageText.List(absent)}.");

            var unlisted = shards.SelectMany(shard => shard.Value.Entries.Keys.Where(name => shardOf.GetValueOrDefault(name) != shard.Key));
            return new Checkpoint(
                folder, shards.Values, shardOf.ToDictionary(pair => pair.Key, pair => shards[pair.Value], StringComparer.Ordinal),
                [.. unlisted.Order(StringComparer.Ordinal)]);
        }
        catch
        {
            foreach (var shard in shards.Values) shard.Dispose();
            throw;
        }
    }

    private static SafetensorsFile OpenShard(string folder, string shard, string indexPath)
    {
        var path = Path.Combine(folder, shard);
        return File.Exists(path) ? SafetensorsFile.Open(path) : throw new InvalidDataException(
            $"{indexPath}: the shard {MessageText.Quote(shard)} is missing; download all files of the checkpoint.");
    }

    private static string WithoutWeights(string folder)
    {
        var files = Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal).ToList();
        var pickle = files.Find(file => Path.GetExtension(file) is ".bin" or ".pt" or ".pth" or ".ckpt");
        if (pickle is null)
            return $"{folder}: there is no {FileName} and no {ShardIndex.FileName} "
                + $"(files here: {(files.Count > 0 ? MessageText.List(files) : "none")}).";
        return $$"""
            {{folder}}: the weights are in {{MessageText.Quote(pickle)}}, a Python pickle. A pickle can run any program, so it is never opened here.
            Convert it once, in Python, inside that folder:
                import torch; from safetensors.torch import save_file
                weights = torch.load({{MessageText.Quote(pickle)}}, map_location="cpu", weights_only=True)
                save_file({name: weight.clone().contiguous() for name, weight in weights.items()}, "{{FileName}}", metadata={"format": "pt"})
            """;
    }

    // Minimum and maximum carry NaN and infinity through and need no memory; values are counted only when there is something to count.
    private static bool IsFinite(Tensor tensor)
    {
        if (!tensor.is_floating_point() || tensor.NumberOfElements == 0) return true;
        using var scope = NewDisposeScope();
        return double.IsFinite(tensor.min().ToDouble()) && double.IsFinite(tensor.max().ToDouble());
    }

    private SafetensorsFile FileOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _fileOf.TryGetValue(name, out var file) ? file : throw new KeyNotFoundException(
            $"{Source}: there is no tensor {MessageText.Quote(name)} among its {Entries.Count}.");
    }
}

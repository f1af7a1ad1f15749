using System.Text.Json;
using System.Text.Json.Serialization;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>One checkpoint of a training run: a model folder that can be opened as any other, and beside it what the run needs to go on.</summary>
/// <remarks>
/// Beside config.json, the tokenizer and model.safetensors: optimizer.safetensors (AdamW's state), kept.safetensors (the weights of the best
/// epoch so far, where one has ended), training.json (fingerprint and position). Whatever is read is checked first: names, shapes, ranges.
/// </remarks>
/// <param name="fingerprint">This run's.</param>
/// <param name="writeModel">Writes live weights as a model folder.</param>
internal sealed class TrainingCheckpointFormat(TrainingFingerprint fingerprint, Action<string, IReadOnlyDictionary<string, Tensor>> writeModel)
{
    private const string OptimizerName = "optimizer.safetensors";
    private const string KeptName = "kept.safetensors";
    private const string PositionName = "training.json";
    private const int Version = 1;
    private const int MaxJsonBytes = 64 << 20;

    public void Write(string folder, TrainingPosition position, TrainingMemory memory)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Directory.CreateDirectory(folder);
        writeModel(folder, memory.Weights);
        SafetensorsWriter.Write(Path.Combine(folder, OptimizerName), [.. memory.Optimizer.ReadState()]);
        if (memory.Kept.Epoch > 0) SafetensorsWriter.Write(Path.Combine(folder, KeptName), [.. memory.Kept.Weights]);
        var saved = new SavedTraining { Version = Version, Fingerprint = fingerprint.Facts, KeptEpoch = memory.Kept.Epoch, Position = position };
        AtomicFile.Write(Path.Combine(folder, PositionName), stream => JsonSerializer.Serialize(stream, saved, TrainingJson.Default.SavedTraining));
    }

    /// <summary>Puts weights, optimizer and kept weights back, all or nothing, and returns the position.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged, or of another run.</exception>
    public TrainingPosition Read(string folder, TrainingMemory memory, TrainingPlan plan, int rowCount)
    {
        var saved = ReadPosition(Path.Combine(folder, PositionName));
        var differences = fingerprint.DifferencesFrom(new TrainingFingerprint(saved.Fingerprint)).ToList();
        if (differences.Count > 0)
            throw new InvalidDataException(
                $"{folder}: this checkpoint is of another run: {string.Join("; ", differences)}. Go on with what the run began with, or begin anew in another folder.");
        if (saved.Position.Faults(plan, rowCount, saved.KeptEpoch).ToList() is { Count: > 0 } faults)
            throw Damaged(Path.Combine(folder, PositionName), string.Join("; ", faults));

        using var scope = NewDisposeScope();
        var weights = ReadTensors(Path.Combine(folder, Checkpoint.FileName), memory.Weights, mayHoldMore: true);
        var optimizer = ReadTensors(Path.Combine(folder, OptimizerName), memory.Optimizer.ReadState().ToDictionary(), mayHoldMore: false);
        CheckOptimizer(Path.Combine(folder, OptimizerName), optimizer, saved.Position.Step);
        var kept = saved.KeptEpoch == 0 ? [] : ReadTensors(Path.Combine(folder, KeptName), memory.Kept.Live(), mayHoldMore: false);

        memory.RestoreWeights(weights);
        memory.Optimizer.Restore(optimizer);
        foreach (var tensor in kept.Values) tensor.DetachFromDisposeScope();
        memory.Kept.Restore(saved.KeptEpoch, kept);
        return saved.Position;
    }

    private static SavedTraining ReadPosition(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (!stream.CanSeek || stream.Length > MaxJsonBytes) throw Damaged(path, $"an ordinary file of at most {MaxJsonBytes} bytes was expected");
            var saved = JsonSerializer.Deserialize(stream, TrainingJson.Default.SavedTraining) ?? throw Damaged(path, "it is null");
            return saved.Version == Version ? saved : throw Damaged(path, $"its version is {saved.Version}; this version reads {Version}");
        }
        catch (JsonException e)
        {
            throw Damaged(path, e.Message.Split('\n')[0]);
        }
        catch (IOException e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Damaged(path, "there is no such file");
        }
    }

    /// <summary>The tensors of a file, on the devices of those that they will replace; the caller's dispose scope owns them.</summary>
    private static Dictionary<string, Tensor> ReadTensors(string path, IReadOnlyDictionary<string, Tensor> wanted, bool mayHoldMore)
    {
        if (!File.Exists(path)) throw Damaged(path, "there is no such file");
        using var file = Checkpoint.Open(path);
        var strange = file.Entries.Keys.Except(wanted.Keys).ToList();
        if (!mayHoldMore && strange.Count > 0) throw Damaged(path, $"it holds {strange.Count} tensors that nothing takes");
        foreach (var (key, tensor) in wanted)
        {
            if (!file.Entries.TryGetValue(key, out var entry)) throw Damaged(path, $"{key} is missing");
            if (entry.DataType != tensor.dtype || !entry.Shape.ToArray().AsSpan().SequenceEqual(tensor.shape))
                throw Damaged(path, $"{key} is {entry.DataType} ({string.Join(", ", entry.Shape.ToArray())}); {tensor.dtype} ({string.Join(", ", tensor.shape)}) was expected");
        }
        return wanted.ToDictionary(pair => pair.Key, pair => file.ReadFinite(pair.Key, pair.Value.dtype, pair.Value.device));
    }

    // A negative second moment would make every weight NaN at the next step.
    private static void CheckOptimizer(string path, Dictionary<string, Tensor> optimizer, long step)
    {
        using var scope = NewDisposeScope();
        foreach (var (key, tensor) in optimizer)
        {
            if (key.EndsWith(".exp_avg_sq", StringComparison.Ordinal) && tensor.NumberOfElements > 0 && tensor.min().item<float>() < 0)
                throw Damaged(path, $"{key} has negative values");
            if (key.EndsWith(".step", StringComparison.Ordinal) && tensor.item<long>() is var steps && (steps < 0 || steps > step))
                throw Damaged(path, $"{key} is {steps}; 0 to {step} was expected");
        }
    }

    private static InvalidDataException Damaged(string path, string fault) =>
        new($"{path}: the checkpoint cannot be gone on from: {fault}. Remove its folder to go on from the one before, or begin anew in another folder.");
}

/// <summary>training.json.</summary>
internal sealed record SavedTraining
{
    public required int Version { get; init; }
    public required IReadOnlyDictionary<string, string> Fingerprint { get; init; }
    public required int KeptEpoch { get; init; }
    public required TrainingPosition Position { get; init; }
}

/// <summary>The JSON of a training checkpoint, read strictly.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, AllowDuplicateProperties = false, MaxDepth = 16,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(SavedTraining))]
internal sealed partial class TrainingJson : JsonSerializerContext;

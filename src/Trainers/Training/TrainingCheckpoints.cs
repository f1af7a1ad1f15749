using System.Globalization;

namespace MLNetLoRA.Trainers;

/// <summary>The checkpoints of one training run in a folder of their own: written now and then, the last two kept, one of them gone on from.</summary>
/// <remarks>
/// A checkpoint is a folder, step-N. It is written under another name, every file flushed to the disk, then renamed; older ones go after that.
/// So whatever happens while one is written, the one before is whole. While a run has the folder, another cannot.
/// </remarks>
internal sealed class TrainingCheckpoints : IDisposable
{
    private const string NamePrefix = "step-";
    private const string UnfinishedPrefix = ".unfinished-";
    private const string LockName = ".lock";
    private const int KeptCount = 2;

    private readonly string _folder;
    private readonly long _everySteps;
    private readonly FileStream _lock;
    private readonly long? _resumedStep;
    private TrainingCheckpointFormat? _format;
    private long _lastSaved;

    private TrainingCheckpoints(string folder, long everySteps, FileStream held, long? resumedStep)
    {
        (_folder, _everySteps, _lock, _resumedStep) = (folder, everySteps, held, resumedStep);
        _lastSaved = resumedStep ?? 0;
    }

    /// <summary>Takes a folder for a run.</summary>
    /// <param name="folder">Created when missing.</param>
    /// <param name="everySteps">Optimizer steps from one checkpoint to the next.</param>
    /// <param name="resume">Whether to go on from the latest checkpoint, where there is one.</param>
    /// <exception cref="ArgumentException">There are checkpoints and <paramref name="resume"/> is false.</exception>
    /// <exception cref="IOException">The folder cannot be written, or another run has it.</exception>
    public static TrainingCheckpoints Open(string folder, long everySteps, bool resume)
    {
        var held = Hold(folder);
        try
        {
            var steps = Steps(folder);
            if (!resume && steps.Count > 0)
                throw new ArgumentException(
                    $"{folder} has checkpoints of an earlier run, the last after step {steps[0]}. Set Resume to go on from there, or choose another CheckpointFolder.");
            foreach (var left in Directory.EnumerateDirectories(folder, UnfinishedPrefix + "*").ToList()) Directory.Delete(left, recursive: true);
            return new TrainingCheckpoints(folder, everySteps, held, steps.Count > 0 ? steps[0] : null);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Where the run goes on from; null where it begins anew.</summary>
    public string? ResumedFrom => _resumedStep is { } step ? PathOf(step) : null;

    /// <summary>Says how this run's checkpoints are written and what those gone on from must agree with. Called once, before the run.</summary>
    public void Use(TrainingCheckpointFormat format) => _format = format;

    public bool IsDue(long step) => step % _everySteps == 0;

    /// <summary>Puts a run back where the checkpoint was written; null when it begins anew.</summary>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or of another run; the message names every difference.</exception>
    public TrainingPosition? Restore(TrainingMemory memory, TrainingPlan plan, int rowCount) =>
        ResumedFrom is { } path ? Format.Read(path, memory, plan, rowCount) : null;

    /// <summary>Writes a checkpoint, and removes all but the last two.</summary>
    /// <exception cref="IOException">It could not be written; those before it are as they were.</exception>
    public void Save(TrainingPosition position, TrainingMemory memory)
    {
        if (position.Step == _lastSaved) return;
        var unfinished = Path.Combine(_folder, $"{UnfinishedPrefix}{Guid.NewGuid():N}");
        try
        {
            Format.Write(unfinished, position, memory);
            Directory.Move(unfinished, PathOf(position.Step));
        }
        catch (Exception e)                 // a file too large for its file system, for one, is an ArgumentException in .NET
        {
            Remove(unfinished);
            var before = _lastSaved > 0 ? $"The one after step {_lastSaved} is whole: free some space, and resume from it." : "There is none before it.";
            throw new IOException($"{PathOf(position.Step)}: the checkpoint could not be written: {e.Message} {before}", e);
        }
        _lastSaved = position.Step;
        foreach (var old in Steps(_folder).Skip(KeptCount)) Remove(PathOf(old));
    }

    public void Dispose() => _lock.Dispose();

    private TrainingCheckpointFormat Format => _format ?? throw new InvalidOperationException("The format comes first.");

    private string PathOf(long step) => Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{NamePrefix}{step}"));

    // The system frees it with the process, however that ends.
    private static FileStream Hold(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(Path.Combine(folder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{folder}: checkpoints cannot be written there, or another run is writing them: {e.Message}", e);
        }
    }

    // The latest first.
    private static List<long> Steps(string folder) =>
    [
        .. Directory.EnumerateDirectories(folder, NamePrefix + "*")
            .Select(path => long.TryParse(Path.GetFileName(path).AsSpan(NamePrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : 0)
            .Where(step => step > 0)
            .OrderDescending(),
    ];

    // What cannot be removed now is removed by the next run, or by the user: no reason to stop this one.
    private static void Remove(string path)
    {
        try
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}

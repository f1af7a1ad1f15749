using System.Text;
using System.Text.Json;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Evaluation;

/// <summary>Finished runs as files, one JSON object each, called by what the run rests on.</summary>
internal sealed class StudyRunFolder
{
    // A run with a repair curve and hundreds of matrices has some hundred kilobytes.
    private const long LargestFile = 64L << 20;

    private readonly string _folder;

    /// <exception cref="IOException">The folder cannot be made or written.</exception>
    public StudyRunFolder(string folder)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.EnsureWritable(Path.Combine(folder, "run.json"));
        _folder = folder;
    }

    /// <summary>A kept run; null where there is none.</summary>
    /// <exception cref="InvalidDataException">The file is no kept run of this plan.</exception>
    public StudyRun? Find(string key, StudyPlan plan)
    {
        var path = PathOf(key);
        if (!File.Exists(path)) return null;
        if (new FileInfo(path).Length > LargestFile) throw Damaged(path, $"it has {new FileInfo(path).Length:N0} bytes");
        try
        {
            var run = ReportJson.Read<StudyRun>(File.ReadAllBytes(path));
            if ((run.Tuning, run.LearningRate, run.Seed) != (plan.Tuning, plan.LearningRate, plan.Seed) || run.Counts is not { Count: > 0 })
                throw Damaged(path, $"it is not of {plan.Name}");
            return run;
        }
        catch (JsonException error)
        {
            throw Damaged(path, error.Message);
        }
    }

    /// <summary>Keeps a run; its file is complete or not there.</summary>
    public void Keep(string key, StudyRun run) => AtomicFile.Write(PathOf(key), stream => stream.Write(Encoding.UTF8.GetBytes(ReportJson.Of(run))));

    private string PathOf(string key) => Path.Combine(_folder, $"{key}.json");

    private static InvalidDataException Damaged(string path, string what) => new($"{path}: not a finished run ({what}). Remove the file; the run is made again.");
}

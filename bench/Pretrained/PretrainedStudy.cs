using System.Diagnostics;
using Microsoft.ML;
using MLNetLoRA.Bench.Output;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary>What pretraining is worth: the same recipe from pretrained and from random weights, beside ML.NET's n-grams.</summary>
/// <remarks>Each measurement is a small file of its own, so a study that was cut off goes on, and two processes can share the work.</remarks>
internal sealed class PretrainedStudy(PretrainedModel model, string dataFolder, string runsFolder)
{
    public IReadOnlyList<Measurement> Run(
        IReadOnlyList<ClassificationTask> tasks, IReadOnlyList<Contender> contenders, IReadOnlyList<int> seeds)
    {
        Directory.CreateDirectory(runsFolder);
        var measurements = new List<Measurement>();
        foreach (var seed in seeds)
            foreach (var task in tasks)
                foreach (var contender in contenders)
                    measurements.Add(Once(task, contender, seed));
        return measurements;
    }

    private Measurement Once(ClassificationTask task, Contender contender, int seed)
    {
        var weights = contender.UsesBaseWeights ? model.ContentHash : null;
        var path = Path.Combine(runsFolder, Measurement.Key(task, contender, seed, weights));
        if (JsonFile.TryRead<Measurement>(path) is { } known) return known;

        var measured = Measure(task, contender, seed, weights);
        JsonFile.Write(path, measured);
        Console.Error.WriteLine($"{task.Name} {contender.Name} seed {seed}: accuracy {measured.Accuracy:F4}, {measured.Seconds:F0} s");
        return measured;
    }

    private Measurement Measure(ClassificationTask task, Contender contender, int seed, string? weights)
    {
        var ml = new MLContext(seed);
        var (training, test) = (task.LoadTraining(ml, dataFolder), task.LoadTest(ml, dataFolder));
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label", nameof(ClassificationTask.Row.Class))
            .Append(contender.Trainer(ml, model, seed));
        var clock = Stopwatch.StartNew();
        using var fitted = pipeline.Fit(training);
        var seconds = clock.Elapsed.TotalSeconds;
        var metrics = ml.MulticlassClassification.Evaluate(fitted.Transform(test));
        return new Measurement(task.Name, contender.Name, seed, metrics.MicroAccuracy, metrics.MacroAccuracy, metrics.LogLoss, seconds, weights);
    }
}

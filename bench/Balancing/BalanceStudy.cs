using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Bench.Output;
using MLNetLoRA.Modeling;
using MLNetLoRA.Transforms;
using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Balancing;

/// <summary>Fine-tunes, repairs in two ways at many settings, and measures task and retention after each.</summary>
/// <remarks>Each run is a small file of its own, so a study that was cut off goes on, and two processes can share the work.</remarks>
internal sealed class BalanceStudy(PretrainedModel model, StudyFolders folders, StudySize size)
{
    private const string Label = "Label";
    private const int BatchSize = 32;

    private readonly Lazy<RetentionText> _retention = new(() => RetentionText.Read(Path.Combine(folders.Samples, "retention.txt")));

    public IReadOnlyList<BalanceRun> Run(IReadOnlyList<BalanceTask> tasks, IReadOnlyList<TunedBy> methods, IReadOnlyList<int> seeds)
    {
        Directory.CreateDirectory(folders.Runs);
        var runs = new List<BalanceRun>();
        foreach (var seed in seeds)
            foreach (var task in tasks)
                foreach (var method in methods)
                    runs.Add(Once(task, method, seed));
        return runs;
    }

    private BalanceRun Once(BalanceTask task, TunedBy method, int seed)
    {
        var path = Path.Combine(folders.Runs, BalanceRun.Key(task, method, seed, model.ContentHash));
        if (JsonFile.TryRead<BalanceRun>(path) is { } known) return known;
        var run = Measure(task, method, seed);
        JsonFile.Write(path, run);
        Console.Error.WriteLine(
            $"{task.Name} {method.Name} seed {seed}: accuracy {run.Accuracy:F4}, forgetting {run.Forgetting:F4}, less at 95 % of the gain by {run.LeadAt(0.95):F4}, {run.Seconds:F0} s");
        return run;
    }

    private BalanceRun Measure(BalanceTask task, TunedBy method, int seed)
    {
        var clock = Stopwatch.StartNew();
        var ml = new MLContext(seed);
        var (training, test) = (task.LoadTraining(ml, folders, size.Rows), task.LoadTest(ml, folders, size.TestRows));
        var keys = ml.Transforms.Conversion.MapValueToKey(Label, nameof(BalanceTask.Row.Class)).Fit(training);
        using var fitted = method.Trainer(ml, model, seed, size.Epochs).Fit(keys.Transform(training));
        using var share = fitted.AcquireShare();
        var classifier = share.Resource.Classifier;
        var rows = EncodedTest.Read(test, fitted.ClassNames, classifier.Description);
        var windows = RetentionWindows.Tokenize([new RetentionCorpus("text", _retention.Value.Measured)], model.Tokenizer, size.WindowTokens);
        var loss = new PseudoLoss(windows, MaskedPositions.Sample(windows, model.Tokenizer, size.Positions, seed), BatchSize);

        using var original = LanguageModelState.OfBase(model, CPU);
        var baseLoss = Mean(loss.Of(original));
        using var changes = classifier.OpenChanges();
        var learned = training.GetColumn<string>(nameof(BalanceTask.Row.Text)).Select(text => model.Tokenizer.Encode(text, null, classifier.Description.MaxTokens)).ToList();
        using var moments = ModelMoments.Collect(
            model, learned, new BalanceOptions { RetentionTexts = _retention.Value.Fitted, Seed = seed }, BatchSize, CPU, () => { });

        var untouched = Point(classifier, 0);
        return new BalanceRun(
            task.Name, method.Name, seed,
            new RepairCurve([untouched, .. size.Strengths.Select(Balanced)]), new RepairCurve([untouched with { Setting = 1 }, .. size.Factors.Select(Uniform)]),
            clock.Elapsed.TotalSeconds, model.ContentHash);

        RepairPoint Balanced(double strength)
        {
            using var corrections = moments.Balance(
                changes, changes.Names, new RetentionBalancing { Strength = strength }, rank: null, modelFingerprint: "", CPU, () => { }).Corrections;
            using var repaired = corrections.Over(classifier);
            return Point(repaired, strength);
        }

        RepairPoint Uniform(double factor)
        {
            using var repaired = UniformShrink.Of(classifier, changes, factor);
            return Point(repaired, factor);
        }

        RepairPoint Point(TextClassifier repaired, double setting)
        {
            using var state = LanguageModelState.OfClassifier(repaired, CPU);
            return new RepairPoint(setting, rows.Accuracy(repaired, BatchSize), Mean(loss.Of(state)) - baseLoss);
        }
    }

    private static double Mean(PositionLosses losses) => losses.OfCorpus[0].Average();
}

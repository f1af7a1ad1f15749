using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>One run through several tasks: train, merge or put aside, test, inspect, go on.</summary>
internal sealed class ContinualRun
{
    /// <summary>As the user typed it.</summary>
    public const string Component = "ContinualLearning";

    private readonly MulticlassClassificationCatalog.MulticlassClassificationTrainers _trainers;
    private readonly PretrainedModel _original;
    private readonly IReadOnlyList<ContinualTask> _tasks;
    private readonly ContinualLearningOptions _options;
    private readonly Device _device;
    private readonly FreshHead _head;

    public ContinualRun(
        MulticlassClassificationCatalog.MulticlassClassificationTrainers trainers, PretrainedModel original, IReadOnlyList<ContinualTask> tasks,
        ContinualLearningOptions options)
    {
        (_trainers, _original, _tasks, _options) = (trainers, original, tasks, options);
        var choice = CatalogDevice.ChoiceOf(trainers);
        _device = ComputeDevice.Choose(options.Training.Device, choice.GpuDeviceId, choice.FallbackToCpu, _ => { });
        _head = new FreshHead(options.Head, options.CancellationToken);
    }

    public ContinualLearningReport Run()
    {
        var clock = Stopwatch.StartNew();
        // All tasks are read before the first is trained: what is wrong with the last is known at once.
        List<LabelledTask> rows = [.. _tasks.Select(Read)];
        Say($"Testing {_original.Name} on {_tasks.Count} tasks");
        List<FreshHeadScore> untouched = [.. Judge(_original, rows)];
        var stages = _options.Adapters is AdapterHandling.Apart ? LearnApart(rows, untouched) : LearnOnAndOn(rows);
        return new ContinualLearningReport
        {
            BaseName = _original.Name,
            Method = _options.Method,
            Adapters = _options.Adapters,
            Lora = _options.Method is FineTuningMethod.Lora ? _options.Training.Lora : null,
            Repair = _options.Repair?.GetType().Name,
            Spectral = _options.Spectral,
            Tasks = [.. _tasks.Zip(rows).Zip(untouched, (task, score) => new ContinualTaskSummary(
                task.First.Name, task.Second.Labels.Count, task.Second.Training.Count, task.Second.Test.Count, score))],
            Stages = stages,
            Seconds = clock.Elapsed.TotalSeconds,
        };
    }

    // Each stage starts from what the one before has made of the weights.
    private List<ContinualStage> LearnOnAndOn(List<LabelledTask> rows)
    {
        var stages = new List<ContinualStage>();
        EmbeddedModel? current = null;
        try
        {
            for (var stage = 0; stage < _tasks.Count; stage++)
            {
                var clock = Stopwatch.StartNew();
                TrainingReport training;
                using (var learned = Learn(stage, current?.Model ?? _original, rows[stage]))
                {
                    training = learned.Training;
                    var next = learned.Model.Classifier.Merge($"{_original.Name} after {_tasks[stage].Name}");
                    current?.Dispose();
                    current = next;
                }
                Say($"{Stage(stage)}: testing on {_tasks.Count} tasks");
                List<FreshHeadScore> scores = [.. Judge(current.Model, rows)];
                using var changes = ModelChanges.Open(_original, current.Model, _device);
                stages.Add(Finished(stage, training, scores, Inspect(stage, changes), clock));
            }
            return stages;
        }
        finally
        {
            current?.Dispose();
        }
    }

    // Each stage starts from the base. A task is tested with its own adapter, before it has one without.
    private List<ContinualStage> LearnApart(List<LabelledTask> rows, List<FreshHeadScore> untouched)
    {
        var stages = new List<ContinualStage>();
        List<FreshHeadScore> scores = [.. untouched];
        for (var stage = 0; stage < _tasks.Count; stage++)
        {
            var clock = Stopwatch.StartNew();
            using var learned = Learn(stage, _original, rows[stage]);
            Say($"{Stage(stage)}: testing");
            using var trunk = FrozenTrunk.Of(learned.Model.Classifier);
            scores[stage] = _head.Judge(trunk, _original, rows[stage]).Score;
            using var changes = learned.Model.Classifier.OpenChanges();
            stages.Add(Finished(stage, learned.Training, [.. scores], Inspect(stage, changes), clock));
        }
        return stages;
    }

    private LabelledTask Read(ContinualTask task) => LabelledTask.Read(
        $"Task '{task.Name}'", Columns(task), task.LabelColumnName, task.TrainingSet, task.TestSet, _original.Tokenizer,
        _options.Training.EffectiveMaxTokens(_original), _options.CancellationToken.ThrowIfCancellationRequested);

    private TextColumns Columns(ContinualTask task) => new(
        Component, task.Sentence1ColumnName, task.Sentence2ColumnName, _options.Training.ScoreColumnName, _options.Training.OutputColumnName);

    private LearnedStage Learn(int stage, PretrainedModel start, LabelledTask rows)
    {
        Say($"{Stage(stage)}: training on {rows.Training.Count} rows");
        var task = _tasks[stage];
        var options = _options.Training with
        {
            LabelColumnName = task.LabelColumnName,
            Sentence1ColumnName = task.Sentence1ColumnName,
            Sentence2ColumnName = task.Sentence2ColumnName,
            ValidationSet = task.ValidationSet,
            ValidationFraction = task.ValidationSet is null ? _options.Training.ValidationFraction : 0,
            // In memory there is no folder to refer to.
            BaseStorage = BaseStorage.Embedded,
            Seed = SeedOf(stage),
            Device = _device.ToString(),
            CancellationToken = _options.CancellationToken,
        };
        var trainer = _options.Method is FineTuningMethod.Lora
            ? _trainers.LoraTextClassification(start, options)
            : _trainers.FullFineTuningTextClassification(start, options);
        return LearnedStage.Fit(trainer, _options.Repair, rows.KeyedTraining);
    }

    // Adapters that are merged one upon the other begin with an A of their own each: from one seed all would begin with the same rows, and look
    // for what is new in the directions that the ones before have changed already. Apart, each is a first one.
    private int? SeedOf(int stage) => _options.Training.Seed is { } seed && _options.Adapters is AdapterHandling.Merge ? unchecked(seed + stage) : _options.Training.Seed;

    private IEnumerable<FreshHeadScore> Judge(PretrainedModel state, List<LabelledTask> rows)
    {
        using var trunk = FrozenTrunk.Of(state, _device);
        foreach (var task in rows) yield return _head.Judge(trunk, _original, task).Score;
    }

    private List<SpectralFinding> Inspect(int stage, IWeightChanges changes)
    {
        Say($"{Stage(stage)}: inspecting {changes.Names.Count} matrices");
        var shapes = SequenceClassifier.Matrices(_original.Config).ToDictionary();
        var findings = new List<SpectralFinding>();
        foreach (var name in changes.Names)
        {
            _options.CancellationToken.ThrowIfCancellationRequested();
            using var change = changes.Open(name, _device);
            using var spectrum = new IntruderDetector(_options.Spectral.For(shapes[name].Outputs, shapes[name].Inputs)).Analyze(change.Change);
            findings.Add(spectrum.Finding);
        }
        return findings;
    }

    private ContinualStage Finished(
        int stage, TrainingReport training, IReadOnlyList<FreshHeadScore> scores, IReadOnlyList<SpectralFinding> matrices, Stopwatch clock) =>
        new()
        {
            TaskName = _tasks[stage].Name,
            Training = training,
            Scores = scores,
            Matrices = matrices,
            Seconds = clock.Elapsed.TotalSeconds,
        };

    private string Stage(int stage) => $"Stage {stage + 1} of {_tasks.Count}, {_tasks[stage].Name}";

    private void Say(string activity)
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        _options.Progress?.Report(activity);
    }
}
